"""The wiki sample: what it does for its readers and writers, and what it does for nobody."""

import re
from urllib.parse import quote, urlencode

import browser
import pytest
from program import SAMPLES, Sample

pytestmark = pytest.mark.wire

PAGES = {"All%20markup.txt", "Welcome.txt"}

CAFE = "Café мир"
CAFE_IN_URL = "Caf%C3%A9%20%D0%BC%D0%B8%D1%80"


@pytest.fixture
def wiki(run_sample):
    """The wiki, with its two pages."""
    return run_sample("wsgi_wiki", "run.py")


def stored(wiki):
    """The names of the files that hold pages."""
    return {path.name for path in (wiki.home / "pages").iterdir()}


def save(wiki, page, content):
    """Post the form as a browser does."""
    fields = urlencode({"page": page, "content": content, "save": "Save"}).encode()
    return wiki.post("/edit", fields, "Content-Type: application/x-www-form-urlencoded")


def delete(wiki, page):
    fields = urlencode({"page": page}).encode()
    return wiki.post("/delete", fields, "Content-Type: application/x-www-form-urlencoded")


def text(answer):
    return answer.body.decode("utf-8")


def test_pages_are_listed_and_shown(wiki):
    index = wiki.get("/")
    assert (index.status, index.header("Content-Type")) == (200, "text/html; charset=utf-8")
    assert '<a href="/display/All%20markup">All markup</a>' in text(index)
    page = text(wiki.get("/display/All%20markup"))
    assert "<h1>All markup</h1>" in page
    assert '<a href="/display/Welcome">Welcome</a>' in page
    assert '<a class="absent" href="/edit?page=Some%20absent%20page">' in page
    assert "<ul><li>Items of a list</li><li>begin with a star</li></ul>" in page
    assert wiki.get("/nowhere").status == 404


def test_a_page_is_created_edited_and_deleted(wiki):
    absent = wiki.get("/display/" + CAFE_IN_URL)
    assert (absent.status, absent.header("Location")) == (302, "/edit?page=" + CAFE_IN_URL)
    form = text(wiki.get(absent.header("Location")))
    assert f'name="page" value="{CAFE}"' in form

    created = save(wiki, CAFE, "= Größe\r\n\r\n10 € & mehr")
    assert (created.status, created.header("Location")) == (302, "/display/" + CAFE_IN_URL)
    page = text(wiki.get(created.header("Location")))
    assert "<h2>Größe</h2>\n<p>10 € &amp; mehr</p>" in page
    assert CAFE in text(wiki.get("/"))

    form = text(wiki.get("/edit?page=" + CAFE_IN_URL))
    assert "= Größe\n\n10 € &amp; mehr</textarea>" in form
    save(wiki, CAFE, "other words")
    page = text(wiki.get(created.header("Location")))
    assert "other words" in page and "Größe" not in page

    assert delete(wiki, CAFE).header("Location") == "/"
    assert stored(wiki) == PAGES
    assert delete(wiki, CAFE).status == 404


def test_a_link_deletes_nothing(wiki):
    refused = wiki.get("/delete?page=Welcome")
    assert (refused.status, refused.header("Allow")) == (405, "POST")
    assert stored(wiki) == PAGES


def test_a_form_that_is_not_right_comes_back(wiki):
    for page, content in [("", "words"), ("Name", ""), ("a/b", "words")]:
        answer = save(wiki, page, content)
        assert answer.status == 400
        assert 'class="errorlist"' in text(answer)
        assert f">{content}</textarea>" in text(answer)
    assert stored(wiki) == PAGES


def test_no_name_leads_out_of_the_folder(wiki):
    before = every_file(wiki)
    for name in ["..", ".", "../pages/Welcome", "/etc/passwd", "a\0b", "a\nb", ".x", "x" * 201]:
        assert save(wiki, name, "words").status == 400, name
        assert delete(wiki, name).status == 404, name
        assert wiki.get("/display/" + quote(name, safe="")).status == 404, name
    assert every_file(wiki) == before


def every_file(wiki):
    """The wiki's folder: path to content, without what Python compiled."""
    paths = [path for path in wiki.home.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {path: path.read_bytes() for path in paths}


def test_what_is_written_is_shown_and_not_obeyed(wiki):
    script = "<script>alert(1)</script>"
    save(wiki, "Evil", script + " [[<b>]] {{x.png\" onerror=\"a}} </textarea>" + script)
    for target in ["/display/Evil", "/edit?page=Evil", f"/edit?page={quote(script)}"]:
        page = text(wiki.get(target))
        assert "<script" not in page
        assert "&lt;script&gt;" in page
        assert not re.search("<[^>]*onerror", page)
        assert page.count("<textarea") == page.count("</textarea>")
    quoted = text(wiki.get("/edit?page=" + quote("\" onfocus='x' \"")))
    assert not re.search('value="" onfocus', quoted)


def test_pictures_are_served_with_their_type(wiki):
    for name in ["home", "new", "edit", "cancel", "logo"]:
        picture = wiki.get(f"/static/img/{name}.png")
        file = SAMPLES / "wsgi_wiki" / "static" / "img" / f"{name}.png"
        assert (picture.status, picture.header("Content-Type")) == (200, "image/png")
        assert picture.body == file.read_bytes()
    assert wiki.get("/favicon.ico").body[:4] == b"\x89PNG"
    tag = wiki.get("/static/wiki.css").header("ETag")
    assert wiki.get("/static/wiki.css", f"If-None-Match: {tag}").status == 304


def test_no_path_leads_out_of_static(wiki):
    outside = ["../run.py", "..%2frun.py", "%2e%2e/run.py", "img/../../run.py", "/etc/passwd"]
    for path in outside + ["img", "", "%00", "wiki.css%00"]:
        answer = wiki.get("/static/" + path)
        assert answer.status in (400, 404), path
        assert b"evwsgi" not in answer.body and b"root:" not in answer.body


def test_each_request_is_logged(wiki):
    wiki.get("/display/Welcome", "User-Agent: a test")
    wiki.stop()
    line = r'^127\.0\.0\.1 .*"GET /display/Welcome .*" 200 .*"a test"$'
    assert re.search(line, wiki.stdout, re.MULTILINE)


def test_in_a_browser(python3, start_process):
    wiki = start_process(Sample, python3, "wsgi_wiki", "run.py")
    url = "http://127.0.0.1:%d" % wiki.address[1]
    save(wiki, "Evil", "<script>document.title = 'obeyed'</script>")
    page = browser.document(url + "/display/Evil")
    assert "<title>Evil</title>" in page
    assert "&lt;script&gt;" in page
    page = browser.document(url + "/edit?page=Welcome")
    assert re.search(r"<textarea[^>]*>This wiki keeps its pages in a folder", page)
    # It fetched the style and the pictures that the page names.
    wiki.stop()
    for path in ["wiki.css", "img/home.png", "img/cancel.png"]:
        assert re.search(f'"GET /static/{path} [^"]*" 200 ', wiki.stdout), path

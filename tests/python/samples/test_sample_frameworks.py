"""The samples that other people's code runs in: django and paste."""

import re
from urllib.parse import urlencode

import pytest

pytestmark = pytest.mark.wire


@pytest.fixture
def guestbook(interpreter, run_sample):
    """The Django project, on 1.11 for Python 2.7 and the newest that pip finds for a 3."""
    django = interpreter.library("django==1.11.29" if interpreter.major == 2 else "django")
    return run_sample("django", "run.py", library=django)


def jar(answer, before=None):
    """The cookies a browser has after an answer, name to value."""
    cookies = dict(before or {})
    for line in answer.every_header("Set-Cookie"):
        name, _, value = line.split(";")[0].partition("=")
        cookies[name.strip()] = value
    return cookies


def cookie_line(cookies):
    return "Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items())


def token(answer):
    """The hidden field that Django wants back with the form."""
    return re.search(rb"csrfmiddlewaretoken['\"] value=['\"](\w+)", answer.body).group(1).decode()


def sign(guestbook, cookies, **fields):
    kind = "Content-Type: application/x-www-form-urlencoded"
    return guestbook.post("/", urlencode(fields).encode(), kind, cookie_line(cookies))


def test_django_signs_and_shows_entries(guestbook):
    first = guestbook.get("/")
    assert (first.status, first.header("Content-Type")) == (200, "text/html; charset=utf-8")
    assert b"Nobody has signed yet" in first.body
    cookies = jar(first)
    assert {"sessionid", "csrftoken"} <= set(cookies)

    fields = {"name": "Zoë", "words": "<b>Schön</b> & gut"}
    signed = sign(guestbook, cookies, csrfmiddlewaretoken=token(first), **fields)
    assert (signed.status, signed.header("Location")) == (302, "/")
    cookies = jar(signed, cookies)

    second = guestbook.get("/", cookie_line(cookies))
    page = second.body.decode("utf-8")
    assert "<h2>Zoë</h2>\n<p>&lt;b&gt;Schön&lt;/b&gt; &amp; gut</p>" in page
    # The session, in a cookie, remembers the name and counts.
    assert 'value="Zoë"' in page
    assert "You have looked 2 times" in page


def test_django_refuses_what_it_must(guestbook):
    first = guestbook.get("/")
    cookies = jar(first)
    # A form that came from elsewhere has no token, or not this visitor's.
    assert sign(guestbook, cookies, name="x", words="y").status == 403
    assert sign(guestbook, {}, name="x", words="y", csrfmiddlewaretoken="z" * 64).status == 403
    empty = sign(guestbook, cookies, name="", words="y", csrfmiddlewaretoken=token(first))
    assert empty.status == 400
    assert b"This field is required" in empty.body
    assert b"Nobody has signed yet" in guestbook.get("/").body
    assert guestbook.get("/elsewhere").status == 404
    assert guestbook.request(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").status == 400


def test_paste_serves_what_the_ini_file_describes(interpreter, run_sample):
    paste = interpreter.library("PasteDeploy")
    if interpreter.major == 2:
        # pip leaves namespace packages to .pth files, and Python reads none on PYTHONPATH.
        (paste / "paste" / "__init__.py").touch()
    server = run_sample("paste", "run.py", library=paste)
    answer = server.get("/?who=%C3%89va")
    assert (answer.status, answer.body.decode("utf-8")) == (200, "Good day, Éva!\n")
    assert answer.header("X-Settings") == "development"
    assert server.get("/any/path").body == b"Good day, stranger!\n"

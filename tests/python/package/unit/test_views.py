"""fapws.contrib.views: the right file, its headers, and never a file outside the root."""

import email.utils
import io
import os

import pytest
from fapws.contrib.views import FilePart, Staticfile

CONTENT = bytes(bytearray(range(256))) * 1000
# A moment with a fraction: 2001-09-09 01:46:40.25 UTC.
MTIME = 1000000000.25
LAST_MODIFIED = "Sun, 09 Sep 2001 01:46:40 GMT"


@pytest.fixture
def root(tmp_path):
    """A folder `site` with files and links, and a file `secret` beside it."""
    (tmp_path / "site" / "sub").mkdir(parents=True)
    for name in ("a.css", "sub/b.png", "noext", "...", u"caf\xe9.txt", "per%2e%2ecent"):
        (tmp_path / "site" / name).write_bytes(CONTENT)
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "site-secret").write_bytes(b"secret")
    os.symlink(str(tmp_path / "secret"), str(tmp_path / "site" / "link-out"))
    os.symlink(str(tmp_path), str(tmp_path / "site" / "folder-out"))
    os.symlink("a.css", str(tmp_path / "site" / "link-in.png"))
    os.symlink("loop", str(tmp_path / "site" / "loop"))
    os.mkfifo(str(tmp_path / "site" / "fifo"))
    os.utime(str(tmp_path / "site" / "a.css"), (MTIME, MTIME))
    return str(tmp_path / "site") + "/"


def headers_of(answer, *names):
    return [answer.headers.get(name) for name in names]


def test_a_file_is_served(root, ask, dialect):
    answer = ask(Staticfile(root), dialect, PATH_INFO="a.css")
    assert answer.status == "200 OK"
    assert answer.body == CONTENT
    assert headers_of(answer, "content-type", "content-length") == ["text/css", str(len(CONTENT))]
    assert answer.result.closed


@pytest.mark.parametrize(
    "path, content_type",
    [
        ("sub/b.png", "image/png"),
        ("link-in.png", "image/png"),
        ("sub//b.png", "image/png"),
        ("noext", "application/octet-stream"),
        ("...", "application/octet-stream"),
        # As the server gives them: decoded once, each character one byte.
        ("per%2e%2ecent", "application/octet-stream"),
        (u"caf\xe9.txt".encode("utf-8").decode("latin-1"), "text/plain"),
    ],
)
def test_the_type_goes_by_the_name(root, ask, dialect, path, content_type):
    path = path if isinstance(path, str) else path.encode("latin-1")
    answer = ask(Staticfile(root), dialect, PATH_INFO=path)
    assert answer.body == CONTENT
    assert answer.headers["content-type"] == content_type


@pytest.mark.parametrize(
    "path",
    [
        "missing",
        "",
        "sub",
        "sub/",
        "a.css/",
        "a.css/.",
        "a.css/x",
        "../secret",
        "../site/a.css",
        "sub/../a.css",
        "sub/../../secret",
        "folder-out/secret",
        "link-out",
        "loop",
        "fifo",
        "a.css\0",
        "a.css\0.png",
        "..",
        ".",
        "/../secret",
        "%2e%2e/secret",
        "..%2fsecret",
        "%252e%252e/secret",
        "..\\secret",
        "x" * 5000,
        "sub/" * 2000 + "a.css",
        "\xff\xfe",
    ],
)
def test_nothing_else_is(root, ask, dialect, path):
    answer = ask(Staticfile(root), dialect, PATH_INFO=path)
    assert answer.status == "404 File not found"
    assert answer.result == []


def test_the_root_is_a_folder_not_the_beginning_of_its_name(root, ask, dialect):
    beside = root.rstrip("/")
    assert ask(Staticfile(beside), dialect, PATH_INFO="-secret").status[:3] == "404"
    assert ask(Staticfile(beside), dialect, PATH_INFO="/a.css").body == CONTENT


def test_the_root_may_be_a_file_or_the_beginning_of_names(root, ask, dialect):
    assert ask(Staticfile(root + "a.css"), dialect, PATH_INFO="").body == CONTENT
    assert ask(Staticfile(root + "a."), dialect, PATH_INFO="css").body == CONTENT
    assert ask(Staticfile(root + "a."), dialect, PATH_INFO="../../secret").status[:3] == "404"


def test_an_empty_root_is_the_current_folder(root, ask, dialect, monkeypatch):
    monkeypatch.chdir(root)
    assert ask(Staticfile(), dialect, PATH_INFO="a.css").body == CONTENT
    assert ask(Staticfile(), dialect, PATH_INFO="/a.css").body == CONTENT
    assert ask(Staticfile(), dialect, PATH_INFO=os.path.abspath("../secret")).status[:3] == "404"


def test_a_link_to_the_root_is_the_root(root, ask, dialect, tmp_path):
    os.symlink(root, str(tmp_path / "alias"))
    assert ask(Staticfile(str(tmp_path / "alias/")), dialect, PATH_INFO="/a.css").body == CONTENT


def test_the_root_may_be_the_systems(root, ask, dialect):
    assert ask(Staticfile("/"), dialect, PATH_INFO=root[1:] + "a.css").body == CONTENT


def test_what_is_missing_is_named_in_one_line(root, ask, dialect, capsys):
    ask(Staticfile(root), dialect, PATH_INFO="a\nb\x1b\xe9")
    (line,) = capsys.readouterr().out.splitlines()
    assert line == "ERROR in Staticfile: file %sa?b?? not existing" % root


def test_a_stdout_that_is_closed_still_gives_404(root, ask, dialect, monkeypatch):
    closed = open(os.devnull, "w")
    closed.close()
    monkeypatch.setattr("sys.stdout", closed)
    assert ask(Staticfile(root), dialect, PATH_INFO="missing").status[:3] == "404"


def test_maxage_is_in_seconds_from_now(root, ask, dialect):
    """DIFFERS(fapws3): the original added the time of day."""
    answer = ask(Staticfile(root, maxage=3600), dialect, PATH_INFO="a.css")
    assert answer.headers["cache-control"] == "max-age=3600"
    assert "cache-control" not in ask(Staticfile(root), dialect, PATH_INFO="a.css").headers


def test_the_tag_of_the_legacy_dialect_is_the_time(root, ask):
    """COMPAT(fapws3): unquoted, with the digits of Python 2's str(float)."""
    assert ask(Staticfile(root), "legacy", PATH_INFO="a.css").headers["etag"] == "1000000000.25"
    os.utime(root + "a.css", (1000000000, 1000000000))
    assert ask(Staticfile(root), "legacy", PATH_INFO="a.css").headers["etag"] == "1000000000.0"


def test_a_304_of_the_legacy_dialect_has_no_headers(root, ask):
    answer = ask(
        Staticfile(root, 60), "legacy", PATH_INFO="a.css", HTTP_IF_NONE_MATCH="1000000000.25"
    )
    assert (answer.status, answer.headers, answer.result) == ("304 Not Modified", {}, [])
    other = ask(Staticfile(root), "legacy", PATH_INFO="a.css", HTTP_IF_NONE_MATCH="1000000000.5")
    assert other.status == "200 OK"


def standard(root, ask, **variables):
    return ask(Staticfile(root, 60), "standard", PATH_INFO="a.css", **variables)


def test_the_tag_of_the_standard_dialect_changes_with_the_file(root, ask):
    tags = set()
    for mtime in (MTIME, MTIME, MTIME + 0.25):
        os.utime(root + "a.css", (mtime, mtime))
        tags.add(standard(root, ask).headers["etag"])
    with open(root + "a.css", "ab") as more:
        more.write(b"x")
    os.utime(root + "a.css", (MTIME, MTIME))
    tags.add(standard(root, ask).headers["etag"])
    assert len(tags) == 3
    assert all(tag[0] == tag[-1] == '"' for tag in tags)


def test_if_none_match(root, ask):
    tag = standard(root, ask).headers["etag"]
    for given in (tag, "W/" + tag, '"x", %s' % tag, '"x",W/%s ,"y"' % tag, "*"):
        answer = standard(root, ask, HTTP_IF_NONE_MATCH=given)
        assert (answer.status, answer.result) == ("304 Not Modified", [])
        assert headers_of(answer, "etag", "last-modified", "cache-control") == [
            tag,
            LAST_MODIFIED,
            "max-age=60",
        ]
        assert "content-length" not in answer.headers
    for given in ('"x"', "", tag[:-1]):
        assert standard(root, ask, HTTP_IF_NONE_MATCH=given).status == "200 OK"


@pytest.mark.parametrize(
    "since, status",
    [
        (LAST_MODIFIED, "304 Not Modified"),
        ("Sunday, 09-Sep-01 01:46:40 GMT", "304 Not Modified"),
        ("Sun Sep  9 01:46:40 2001", "304 Not Modified"),
        ("Mon, 10 Sep 2001 01:46:40 GMT", "304 Not Modified"),
        ("Sun, 09 Sep 2001 01:46:39 GMT", "200 OK"),
        ("yesterday", "200 OK"),
        ("Sun, 99 Foo 2001 01:46:40 GMT", "200 OK"),
        ("Sun, 09 Sep 99999999999999 01:46:40 GMT", "200 OK"),
        ("", "200 OK"),
    ],
)
def test_if_modified_since(root, ask, since, status):
    assert standard(root, ask).headers["last-modified"] == LAST_MODIFIED
    assert standard(root, ask, HTTP_IF_MODIFIED_SINCE=since).status == status
    # RFC 9110 section 13.2.2: not looked at beside If-None-Match.
    both = {"HTTP_IF_MODIFIED_SINCE": since, "HTTP_IF_NONE_MATCH": '"x"'}
    assert standard(root, ask, **both).status == "200 OK"


SIZE = len(CONTENT)


@pytest.mark.parametrize(
    "given, first, end",
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-99", 10, 100),
        ("bytes=10-", 10, SIZE),
        ("bytes=-10", SIZE - 10, SIZE),
        ("bytes=-999999999", 0, SIZE),
        ("bytes=10-999999999", 10, SIZE),
        ("BYTES= 10-99 ", 10, 100),
        ("bytes=%d-" % (SIZE - 1), SIZE - 1, SIZE),
    ],
)
def test_a_range_is_served(root, ask, given, first, end):
    answer = standard(root, ask, HTTP_RANGE=given)
    assert answer.status == "206 Partial Content"
    assert answer.body == CONTENT[first:end]
    assert headers_of(answer, "content-range", "content-length") == [
        "bytes %d-%d/%d" % (first, end - 1, SIZE),
        str(end - first),
    ]


@pytest.mark.parametrize("given", ["bytes=%d-" % SIZE, "bytes=-0", "bytes=%d-%d" % (SIZE, SIZE)])
def test_a_range_outside_the_file_is_refused(root, ask, given):
    answer = standard(root, ask, HTTP_RANGE=given)
    assert answer.status == "416 Range Not Satisfiable"
    assert answer.headers["content-range"] == "bytes */%d" % SIZE
    assert answer.result == []


@pytest.mark.parametrize(
    "given",
    ["", "bytes=", "bytes=-", "bytes=9-1", "bytes=0-1,5-6", "lines=0-1", "bytes=a-b", "0-1"],
)
def test_a_range_that_is_none_is_ignored(root, ask, given):
    answer = standard(root, ask, HTTP_RANGE=given)
    assert (answer.status, answer.body) == ("200 OK", CONTENT)
    assert answer.headers["accept-ranges"] == "bytes"


def test_if_range(root, ask):
    tag = standard(root, ask).headers["etag"]
    for condition, status in [
        (tag, "206"),
        (LAST_MODIFIED, "206"),
        ("W/" + tag, "200"),
        ('"x"', "200"),
        (email.utils.formatdate(MTIME + 60, usegmt=True), "200"),
    ]:
        answer = standard(root, ask, HTTP_RANGE="bytes=0-1", HTTP_IF_RANGE=condition)
        assert answer.status[:3] == status


def test_head_has_the_headers_of_get(root, ask):
    answer = standard(root, ask, REQUEST_METHOD="HEAD", HTTP_RANGE="bytes=0-1")
    assert answer.result == []
    assert answer.status == "200 OK"
    assert answer.headers == standard(root, ask).headers


def test_another_method_is_refused(root, ask):
    answer = standard(root, ask, REQUEST_METHOD="POST")
    assert answer.status == "405 Method Not Allowed"
    assert answer.headers["allow"] == "GET, HEAD"


def test_no_descriptor_is_left_open(root, ask, dialect):
    before = len(os.listdir("/proc/self/fd"))
    for variables in (
        {},
        {"HTTP_RANGE": "bytes=0-1"},
        {"HTTP_RANGE": "bytes=999999999-"},
        {"HTTP_IF_NONE_MATCH": "*"},
        {"REQUEST_METHOD": "HEAD"},
        {"REQUEST_METHOD": "POST"},
        {"PATH_INFO": "fifo"},
    ):
        kept = ask(Staticfile(root), dialect, **dict({"PATH_INFO": "a.css"}, **variables))
        assert len(os.listdir("/proc/self/fd")) == before, variables
        del kept


def test_a_part_ends_where_the_file_does():
    source = io.BytesIO(b"abc")
    part = FilePart(source, 10)
    assert list(part) == [b"abc"]
    part.close()
    assert source.closed


def test_a_part_is_no_file_to_the_server():
    assert not hasattr(FilePart(io.BytesIO(), 1), "read")

"""fapws.contrib through a server, in both dialects: what only the two together can get wrong."""

import gzip
import os
import pathlib
import stat

import pytest

pytestmark = pytest.mark.each_major

APP = pathlib.Path(__file__).parent / "apps" / "contrib.py"
CONTENT = os.urandom(3000000)
SCRIPT = """#!/bin/sh
printf 'Status: 201 Created\\nContent-Type: text/plain\\nSet-Cookie: a=1\\nSet-Cookie: b=2\\n\\n'
echo "$REQUEST_METHOD $SCRIPT_NAME $PATH_INFO $QUERY_STRING $CONTENT_LENGTH $SERVER_PROTOCOL"
cat
"""


@pytest.fixture
def files(tmp_path):
    """The folder that the application serves."""
    folder = tmp_path / "files"
    (folder / "static").mkdir(parents=True)
    (folder / "up").mkdir()
    (folder / "static" / "a.txt").write_bytes(CONTENT)
    (folder / "static" / "small.txt").write_bytes(b"0123456789")
    (folder / "secret").write_bytes(b"secret")
    script = folder / "script.cgi"
    script.write_text(SCRIPT)
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.fixture
def server(serve, dialect, files):
    """The application, served in a dialect."""
    return serve(APP, dialect=dialect, env={"FILES": str(files)})


def post(server, target, body, content_type):
    lines = [f"POST {target} HTTP/1.1", "Host: test", "Connection: close"]
    lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}", "", ""]
    return server.request("\r\n".join(lines).encode("ascii") + body)


def test_a_file(server, files):
    response = server.get("/static/a.txt")
    assert response.status == 200
    assert response.header("Content-Type") == "text/plain"
    assert response.header("Content-Length") == str(len(CONTENT))
    assert response.header("Cache-control") == "max-age=60"
    assert response.body == CONTENT
    tag = response.header("ETag")
    again = server.get("/static/a.txt", "If-None-Match: " + tag)
    assert (again.status, again.body) == (304, b"")


def test_a_file_without_its_body(server):
    response = server.request(
        b"HEAD /static/a.txt HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", "HEAD"
    )
    assert response.status == 200
    assert response.header("Content-Length") == str(len(CONTENT))


def test_a_part_of_a_file(serve, interpreter, files):
    server = serve(APP, dialect="standard", env={"FILES": str(files)})
    for wanted, part in [
        ("10-19", CONTENT[10:20]),
        ("100000-2000000", CONTENT[100000:2000001]),
        ("2999990-", CONTENT[2999990:]),
        ("-10", CONTENT[-10:]),
    ]:
        response = server.get("/static/a.txt", "Range: bytes=" + wanted)
        assert response.status == 206
        assert response.header("Content-Length") == str(len(part))
        assert response.body == part
    assert server.get("/static/a.txt", "Range: bytes=3000000-").status == 416
    # Not a word about a body that would not fit its length.
    assert server.stderr == ""


@pytest.mark.parametrize(
    "target",
    [
        "../secret",
        "..%2fsecret",
        "%2e%2e/secret",
        "%2e%2e%2fsecret",
        "%252e%252e/secret",
        "x/../../secret",
        "small.txt%00",
        "..%5csecret",
    ],
)
def test_no_file_outside_the_root(server, target):
    response = server.get("/static/" + target)
    assert response.status == 404
    assert b"secret" not in response.body


def test_compressed(server):
    for target in ("/zipped/text", "/zipped/cookies", "/zipped/attributes", "/zipped/items"):
        plain = server.get(target)
        assert plain.body == b"0123456789" * 100
        response = server.get(target, "Accept-Encoding: gzip")
        assert gzip.decompress(response.body) == plain.body
        assert response.header("Content-Encoding") == "gzip"
        assert response.header("Vary") == plain.header("Vary") == "Accept-Encoding"
        assert response.status == plain.status


def test_a_compressed_file(server):
    for name, content in [("a.txt", CONTENT), ("small.txt", b"0123456789")]:
        response = server.get("/zipped/static/" + name, "Accept-Encoding: gzip")
        assert gzip.decompress(response.body) == content
        assert server.get("/zipped/static/" + name).body == content
    assert server.get("/zipped/static/none.txt", "Accept-Encoding: gzip").status == 404


def test_decorators_keep_each_cookie(serve, interpreter, files):
    """In the standard dialect; the legacy head holds one value a name."""
    server = serve(APP, dialect="standard", env={"FILES": str(files)})
    for target in ("/zipped/cookies", "/logged/cookies", "/both/cookies"):
        response = server.get(target, "Accept-Encoding: gzip")
        assert response.status == 201
        assert response.every_header("Set-Cookie") == ["a=1", "b=2"]
        assert response.every_header("X-One") == ["1"]


def test_logged(server, dialect):
    server.get("/logged/static/small.txt?q", "User-Agent: me")
    server.get("/both/cookies", "Accept-Encoding: gzip", "Referer: there")
    protocol = "HTTP" if dialect == "legacy" else "HTTP/1.1"
    server.wait_for_output("there", "stderr")
    first, second = server.stderr.splitlines()
    assert first.startswith("127.0.0.1 test - [")
    assert first.endswith(f'"GET /logged/static/small.txt?q {protocol}" 200 10 "-" "me"')
    assert f'"GET /both/cookies {protocol}" 201 ' in second


def test_redirected(server):
    response = server.get("/moved")
    assert response.status == 302
    assert response.header("Location") == "/static/a.txt"
    assert response.body == b""


def test_a_cookie_deleted(server):
    cookie = server.get("/forget").header("Set-Cookie")
    assert cookie.replace('""', "").split("; ") == ["a=", "Max-Age=0", "Path=/"]


def test_cgi(server, dialect):
    response = server.get("/cgi/more?a=b")
    assert response.status == 201
    assert response.body == b"GET /cgi /more a=b  HTTP/1.1\n"
    if dialect == "standard":
        assert response.every_header("Set-Cookie") == ["a=1", "b=2"]
    body = CONTENT[:300000]
    response = post(server, "/cgi/more", body, "text/plain")
    assert response.body == b"POST /cgi /more  300000 HTTP/1.1\n" + body


def test_an_upload(serve, interpreter, dialect, files):
    server = serve(APP, dialect=dialect, env={"FILES": str(files), "UPLOAD": "1"})
    body = (
        b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nvalue\r\n--B\r\n'
        b'Content-Disposition: form-data; name="f"; filename="../f.bin"\r\n\r\n'
        + CONTENT
        + b"\r\n--B--\r\n"
    )
    for name in ("f.bin", "f_1.bin"):
        response = post(server, "/upload", body, "multipart/form-data; boundary=B")
        stored = files / "up" / name
        told = [("a", ["value"]), ("f", [str(stored), {"size": len(CONTENT)}])]
        assert response.body == repr(told).encode("ascii")
        assert stored.read_bytes() == CONTENT

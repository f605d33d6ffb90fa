"""Flask, Django, Bottle, WebOb and Falcon, each serving the same small site.

| route | answers |
|---|---|
| `GET /hello?name=N` | `Hello N` |
| `POST /form` | the form's fields, a line each, sorted |
| `POST /upload` | field `note`, the file's name, size and SHA-1, from multipart/form-data |
| `GET /stream` | a thousand lines from a generator |
| `GET /cookies` | the value of the cookie `taste`, and sets two |
| `GET /redirect` | a redirect to `/hello?name=again` |
| `GET /file` | the file that PROBE_FILE names |
| `POST`, `PUT /json` | the method and the JSON that was sent |
| `GET /boom` | raises |
"""

import hashlib
import json
import random

import pytest
from standard.message import chunks, post, post_chunked, request
from standard.probe import Probe

pytestmark = pytest.mark.each_major

#: What to install, by framework and major version of Python.
REQUIREMENTS = {
    ("flask", 3): ["flask==3.1.2"],
    ("flask", 2): ["flask==1.1.4", "itsdangerous==1.1.0", "markupsafe==1.1.1"],
    ("bottle", 3): ["bottle==0.13.4"],
    ("bottle", 2): ["bottle==0.12.25"],
    ("django", 3): ["django"],
    ("webob", 3): ["webob==1.8.9"],
    ("falcon", 3): ["falcon==4.2.0"],
}

FORM = [("Content-Type", "application/x-www-form-urlencoded")]
CONTENT = random.Random(5).randbytes(300_000)


@pytest.fixture(scope="module", params=["flask", "bottle", "django", "webob", "falcon"])
def site(request, interpreter, tmp_path_factory):
    """A server of the site in one framework; the parameter's name is the framework's."""
    needed = REQUIREMENTS.get((request.param, interpreter.major))
    if needed is None:
        pytest.skip(f"no {request.param} for Python {interpreter.major}")
    library = interpreter.library(*needed)
    folder = tmp_path_factory.mktemp(f"{request.param}-{interpreter.name}")
    (folder / "content").write_bytes(CONTENT)
    env = {"PROBE_FILE": str(folder / "content"), "PYTHONPATH": str(library)}
    server = Probe(interpreter, f"frameworks/{request.param}_site.py", folder, env=env).start()
    yield server
    server.stop().check()


def multipart(fields, file_name, content):
    """A multipart/form-data body and its headers."""
    edge = "edge-of-the-parts"
    lines = []
    for name, value in fields:
        lines.append(
            f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        )
    lines.append(
        f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{file_name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = "".join(lines).encode() + content + f"\r\n--{edge}--\r\n".encode()
    return body, [("Content-Type", f"multipart/form-data; boundary={edge}")]


def test_query(site):
    answer = site.request(request("/hello?name=you%20all"))
    assert (answer.status, answer.body) == (200, b"Hello you all")


def test_form(site):
    body = b"b=2&a=caf%C3%A9&b=3+4"
    expected = "a=caf\u00e9\nb=2\nb=3 4".encode()
    assert site.request(post("/form", body, FORM)).body == expected


def test_upload(site):
    body, headers = multipart([("note", "first")], "data.bin", CONTENT)
    expected = f"first data.bin 300000 {hashlib.sha1(CONTENT).hexdigest()}".encode()
    answer = site.request(post("/upload", body, headers))
    assert (answer.status, answer.body) == (200, expected)


def test_chunked_upload(site):
    """Django and Falcon look for a length first and take such a body for empty: their affair."""
    body, headers = multipart([("note", "first")], "data.bin", CONTENT)
    answer = site.request(post_chunked("/upload", chunks(body, 8000), headers))
    digest = hashlib.sha1(CONTENT).hexdigest()
    assert answer.body == f"first data.bin 300000 {digest}".encode() or answer.status >= 400


def test_stream(site):
    expected = b"".join(b"line %d\n" % number for number in range(1000))
    for version in "HTTP/1.1", "HTTP/1.0":
        answer = site.request(request("/stream", version=version))
        assert (answer.status, answer.body) == (200, expected)


def test_cookies(site):
    answer = site.request(request("/cookies", headers=[("Cookie", "x=y; taste=bitter")]))
    assert answer.body == b"had bitter"
    given = [value.split(";")[0] for value in answer.every_header("Set-Cookie")]
    assert sorted(given) == ["smell=roses", "taste=sweet"]


def test_redirect(site):
    answer = site.request(request("/redirect"))
    assert answer.status in (302, 303)
    assert answer.header("Location") in ("/hello?name=again", "http://probe/hello?name=again")


def test_file(site):
    with site.connect() as client:
        client.send(request("/file") + request("/file", "HEAD") + request("/hello?name=x"))
        assert client.response().body == CONTENT
        assert client.response("HEAD").status in (200, 405)
        assert client.response().body == b"Hello x"


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_json(site, method):
    body = json.dumps({"a": [1, "\u20ac"]}).encode()
    headers = [("Content-Type", "application/json")]
    answer = site.request(request("/json", method, headers, body))
    assert json.loads(answer.body) == {"method": method, "got": {"a": [1, "\u20ac"]}}


def test_error_pages(site):
    with site.connect() as client:
        client.send(request("/missing") + request("/hello?name=x"))
        assert client.response().status == 404
        assert client.response().body == b"Hello x"
    answer = site.request(request("/boom"))
    assert answer.status == 500
    assert b"planned" not in answer.body

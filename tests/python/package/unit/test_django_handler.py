"""fapws.contrib.django_handler: a project of one file, on the Django of the interpreter's time."""

import json
import subprocess
import sys

import pytest

PROJECT = """
import json, sys
from django.conf import settings
from django.core.signals import request_finished
from django.http import HttpResponse, StreamingHttpResponse
import io

finished = []
request_finished.connect(lambda **_: finished.append(1), weak=False)

def show(request, rest=""):
    told = {
        "scheme": request.build_absolute_uri("/x"),
        "path": request.path,
        "method": request.method,
        "get": request.GET.dict(),
        "post": request.POST.dict(),
    }
    response = HttpResponse(json.dumps(told), content_type="application/json")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", path="/p")
    response["X-One"] = "one"
    return response

def stream(request):
    return StreamingHttpResponse(iter([b"one ", b"two"]))

def download(request):
    try:
        from django.http import FileResponse
    except ImportError:
        from django.http import StreamingHttpResponse as FileResponse
    return FileResponse(io.BytesIO(b"file's content"))

try:
    from django.urls import re_path
except ImportError:
    from django.conf.urls import url as re_path
urlpatterns = [
    re_path("^stream/$", stream), re_path("^download/$", download), re_path("^(show/.*)$", show)
]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", MIDDLEWARE=[])

from fapws import base
from fapws.contrib import django_handler

class Recorder(object):
    def __call__(self, status, headers, exc_info=None):
        self.status, self.headers = status, headers

given = eval(sys.stdin.read())
environ = base.Environ() if given.pop("legacy") else {"wsgi.file_wrapper": iter}
body = given.pop("body")
environ.update(given)
environ["wsgi.input"] = io.BytesIO(body)
start_response = base.Start_response() if isinstance(environ, base.Environ) else Recorder()
before = dict(environ)
content = django_handler.handler(environ, start_response)
assert type(content) is bytes
assert environ == before
print(json.dumps({
    "content": content.decode("ascii"),
    "finished": len(finished),
    "head": str(start_response) if hasattr(start_response, "cookies") else None,
    "status": getattr(start_response, "status", None),
    "headers": getattr(start_response, "headers", None),
}))
"""


def request(dialect, path, body=b"", **variables):
    """What the project said to a request, from a process of its own: Django is set up once."""
    environ = {
        "legacy": dialect == "legacy",
        "body": body,
        "REQUEST_METHOD": "POST" if body else "GET",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "QUERY_STRING": "q=1",
        # As the server gives them to an application that is registered for "/".
        "SCRIPT_NAME": "/" if dialect == "legacy" else "",
        "PATH_INFO": path if dialect == "legacy" else "/" + path,
        "wsgi.url_scheme": "HTTP" if dialect == "legacy" else "http",
    }
    environ.update(variables)
    process = subprocess.Popen(
        [sys.executable, "-c", PROJECT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    answer, _ = process.communicate(repr(environ).encode("ascii"))
    assert process.returncode == 0
    return json.loads(answer.decode("ascii"))


def cookies_of(answer):
    """The names of the cookies in the head, in order."""
    if answer["head"]:
        lines = answer["head"].split("\r\n")
        pairs = [line.split(": ", 1) for line in lines[1:] if line]
    else:
        pairs = answer["headers"]
    return sorted(value.split("=")[0].strip() for name, value in pairs if name == "Set-Cookie")


def test_a_page(dialect):
    answer = request(dialect, "show/")
    assert json.loads(answer["content"]) == {
        "scheme": "http://localhost/x",
        "path": "/show/",
        "method": "GET",
        "get": {"q": "1"},
        "post": {},
    }
    assert answer["finished"] == 1
    assert cookies_of(answer) == ["a", "b"]
    if dialect == "legacy":
        assert answer["head"].startswith("HTTP/1.0 200 OK\r\n")
        assert "X-One: one\r\n" in answer["head"]
    else:
        assert answer["status"] == "200 OK"
        assert ["X-One", "one"] in answer["headers"]


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", None])
def test_a_form(dialect, content_type):
    variables = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": 7}
    if dialect == "standard":
        variables = {key: str(value) for key, value in variables.items() if value}
    answer = request(dialect, "show/", b"a=1&b=2", **variables)
    told = json.loads(answer["content"])
    assert told["post"] == ({"a": "1", "b": "2"} if content_type else {})


def test_what_streams_is_one_content(dialect):
    assert request(dialect, "stream/")["content"] == "one two"
    assert request(dialect, "download/")["content"] == "file's content"


def test_what_is_missing(dialect):
    answer = request(dialect, "missing/")
    assert "404" in (answer["head"] or answer["status"])

"""The applications and decorators of fapws.contrib, over the folder that FILES names."""

import os
import sys

from fapws.contrib.cgiapp import CGIApplication
from fapws.contrib.headers import redirect
from fapws.contrib.log import Log
from fapws.contrib.multipart import MultipartFormData
from fapws.contrib.views import Staticfile
from fapws.contrib.zip import Gzip

FILES = os.environ["FILES"] + "/"


def text(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"0123456789" * 100]


def cookies(environ, start_response):
    start_response("201 Created", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-One", "1")])
    return [b"0123456789" * 100]


def attributes(environ, start_response):
    start_response.status_code = "203"
    start_response.add_header("Content-Type", "text/plain")
    start_response.set_cookie("a", "1")
    return [b"0123456789" * 100]


def items(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "1000")])
    for _ in range(100):
        yield b"0123456789"


def moved(environ, start_response):
    return redirect(start_response, "/static/a.txt")


def forget(environ, start_response):
    start_response("200 OK", [])
    start_response.delete_cookie("a")
    return []


def upload(environ, start_response):
    results = environ["wsgi.input"].results
    start_response("200 OK", [("Content-Type", "text/plain")])
    told = [(name, results[name]) for name in sorted(results)]
    return [repr(told).encode("ascii", "backslashreplace")]


def with_parser(stock):
    """A base.Environ whose input parses forms."""

    class Environ(stock):
        def __init__(self, *args, **kwargs):
            stock.__init__(self, *args, **kwargs)
            self["wsgi.input"] = MultipartFormData(FILES + "up")

    return Environ


def register(evwsgi, base):
    if os.environ.get("UPLOAD"):
        base.Environ = with_parser(base.Environ)
    log = Log(sys.stderr)
    evwsgi.wsgi_cb(("/static/", Staticfile(FILES + "static/", maxage=60)))
    evwsgi.wsgi_cb(("/logged/static/", log(Staticfile(FILES + "static/"))))
    evwsgi.wsgi_cb(("/zipped/static/", Gzip()(Staticfile(FILES + "static/"))))
    evwsgi.wsgi_cb(("/logged/cookies", log(cookies)))
    evwsgi.wsgi_cb(("/zipped/text", Gzip()(text)))
    evwsgi.wsgi_cb(("/zipped/cookies", Gzip()(cookies)))
    evwsgi.wsgi_cb(("/zipped/attributes", Gzip()(attributes)))
    evwsgi.wsgi_cb(("/zipped/items", Gzip()(items)))
    evwsgi.wsgi_cb(("/both/cookies", log(Gzip()(cookies))))
    evwsgi.wsgi_cb(("/moved", moved))
    evwsgi.wsgi_cb(("/forget", forget))
    evwsgi.wsgi_cb(("/upload", upload))
    evwsgi.wsgi_cb(("/cgi", CGIApplication(FILES + "script.cgi")))

"""Applications that show all there is in environ, and say their head in every way.

With SUBCLASSED set, the base module's two classes are replaced by subclasses that change nothing:
the core then calls their methods, where it produces the effect of the stock ones by itself.
"""

import os


def show(environ, start_response):
    """The environ, a line an entry; objects by their kind."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    lines = []
    for key in sorted(environ):
        if key == "wsgi.early_hints":
            continue  # a subclass of Start_response says what is sent before its head itself
        value = environ[key]
        if key in ("fapws.remote_port", "REMOTE_PORT", "fapws.socket_fd", "wsgi.errors"):
            value = type(value).__name__ if key != "wsgi.errors" else "errors"
        elif key == "wsgi.input":
            value = value.read()
        elif callable(value):
            value = "callable"
        lines.append("%s=%r" % (key, value))
    return ["\n".join(lines).encode("ascii")]


def called(environ, start_response):
    start_response("404 Not Here", [("X-One", "1"), ("X-Two", "a\tb"), ("Content-Length", "3")])
    return [b"abc"]


def by_attributes(environ, start_response):
    start_response.status_code = "203"
    start_response.status_reasons = "By Hand"
    start_response.response_headers["X-One"] = "1"
    start_response.add_header("X-Two", 2)
    start_response.set_cookie("a", "b", max_age=5)
    start_response.set_cookie("c", "d")
    return [b"abc"]


def called_and_by_attributes(environ, start_response):
    start_response("201 Created", [("X-One", "1"), ("X-Two", "2")])
    start_response.add_header("X-Two", "3")
    start_response.set_cookie("a", "b")
    start_response.delete_cookie("c")
    return [start_response.status_code.encode("ascii")]


def untouched(environ, start_response):
    start_response.cookies = None
    return [b"abc"]


def generator(environ, start_response):
    start_response("200 Fine", [("X-One", "1")])
    yield b"abc"
    yield b"def"


def splitting(environ, start_response):
    start_response("200 OK", [("X-One", "1\r\nX-Two: 2")])
    return [b"abc"]


def splitting_by_attributes(environ, start_response):
    start_response.response_headers["X-One"] = "1\nX-Two: 2"
    return [b"abc"]


def failing(environ, start_response):
    start_response("200 OK", [("X-One", "1")])
    raise ValueError("on purpose")


APPLICATIONS = [
    show,
    called,
    by_attributes,
    called_and_by_attributes,
    untouched,
    generator,
    splitting,
    splitting_by_attributes,
    failing,
]


def register(evwsgi, base):
    if os.environ.get("SUBCLASSED"):
        base.Environ = type("Environ", (base.Environ,), {})
        base.Start_response = type("Start_response", (base.Start_response,), {})
    for application in APPLICATIONS:
        # With a slash, so that no name is the beginning of another.
        evwsgi.wsgi_cb(("/%s/" % application.__name__, application))

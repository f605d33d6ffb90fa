"""The application behind the proxies under test, on Python 2.7 and 3; served by launch.py."""

import json

MEBIBYTE = bytes(bytearray(range(256))) * 4096


def hello(environ, start_response):
    """What the samples' health checks ask for."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def seen(environ, start_response):
    """The request as the application sees it: the environ's strings and numbers, as JSON."""
    shown = {key: value for key, value in environ.items() if isinstance(value, (str, int))}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(shown).encode("ascii")]


def echo(environ, start_response):
    """The request's body."""
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return [environ["wsgi.input"].read()]


def download(environ, start_response):
    """1 MiB in sixteen pieces."""
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    for start in range(0, len(MEBIBYTE), 65536):
        yield MEBIBYTE[start : start + 65536]


def counters_of(evwsgi):
    """An application that responds with the server's counters, as JSON."""

    def counters(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(evwsgi.stats()).encode("ascii")]

    return counters


def register(evwsgi, base):
    evwsgi.wsgi_cb(("/counters", counters_of(evwsgi)))
    evwsgi.wsgi_cb(("/hello", hello))
    evwsgi.wsgi_cb(("/seen", seen))
    evwsgi.wsgi_cb(("/echo", echo))
    evwsgi.wsgi_cb(("/download", download))

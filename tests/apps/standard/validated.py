"""An application between `wsgiref.validate`'s two sides, which assert PEP 3333's rules.

The validator knows fewer ways to read than PEP 3333 has now (no `read()` without a size, and on
Python 2.7 no `readline` with one), so the routes here keep to those.
"""
from wsgiref.validate import validator

PLAIN = [("Content-Type", "text/plain")]


def read(body):
    return list(iter(lambda: body.read(3), b""))


def readline(body):
    return list(iter(body.readline, b""))


def readlines(body):
    return body.readlines()


def iterate(body):
    return list(body)


READERS = {"/" + reader.__name__: reader for reader in (read, readline, readlines, iterate)}


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path in READERS:
        start_response("200 OK", PLAIN)
        return READERS[path](environ["wsgi.input"])
    if path == "/write":
        write = start_response("200 OK", PLAIN)
        write(b"written ")
        return [b"and returned"]
    if path == "/empty":
        start_response("204 No Content", [])
        return []
    start_response("200 OK", PLAIN)
    return (item for item in (b"one ", b"", b"two"))


def register(evwsgi, base):
    evwsgi.wsgi_cb(("/", validator(application)))

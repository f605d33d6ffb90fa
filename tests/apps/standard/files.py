"""Answers that are files: returned as they are, wrapped, with and without a descriptor.

`/file?PLAN`, PLAN being percent-encoded JSON:

    name      journal name: `close` when the file was closed
    path      the file
    seek      offset to start from, default 0
    length    Content-Length to promise, default none
    wrap      block size for `wsgi.file_wrapper`; absent: the file object is returned itself
    kind      `file` (default), `memory` (BytesIO), `reader` (an object with only `read`),
              `pipe` (a descriptor that has no size), `unbuffered`
    through   true: the wrapper is iterated by the application, as a middleware does
"""
import io
import json
import os

try:
    from urllib.parse import unquote
except ImportError:  # Python 2.7
    from urllib import unquote

from journal import record


class Reader(object):
    """The least that PEP 3333's file wrapper takes: `read`, and `close` to be told."""

    def __init__(self, source, name):
        self.source = source
        self.name = name

    def read(self, size=-1):
        record(self.name, "read %d" % size)
        return self.source.read(size)

    def close(self):
        record(self.name, "close")
        self.source.close()


class NotedFile(io.FileIO):
    """A raw file whose first close is noted."""

    name_in_journal = None

    def close(self):
        if not self.closed:
            record(self.name_in_journal, "close")
        io.FileIO.close(self)


def open_as(plan):
    kind, path = plan.get("kind", "file"), plan["path"]
    if kind == "memory":
        with open(path, "rb") as source:
            return io.BytesIO(source.read())
    if kind == "reader":
        return Reader(open(path, "rb"), plan.get("name"))
    if kind == "pipe":
        reading, writing = os.pipe()
        with open(path, "rb") as source, os.fdopen(writing, "wb") as sink:
            sink.write(source.read(4096))  # fits a pipe's buffer
        return os.fdopen(reading, "rb")
    if kind == "unbuffered":
        noted = NotedFile(path, "rb")
        noted.name_in_journal = plan.get("name")
        return noted
    return open(path, "rb")


def send(environ, start_response):
    plan = json.loads(unquote(environ["QUERY_STRING"]))
    source = open_as(plan)
    if plan.get("seek"):
        source.seek(plan["seek"])
    headers = [("Content-Type", "application/octet-stream")]
    if "length" in plan:
        headers.append(("Content-Length", str(plan["length"])))
    start_response("200 OK", headers)
    if "wrap" not in plan:
        return source
    wrapped = environ["wsgi.file_wrapper"](source, plan["wrap"])
    if plan.get("through"):
        return [bytes(block) for block in wrapped]
    return wrapped


def lend(environ, start_response):
    """`/lend?PATH`: a file that is kept open, for `/swap` to close."""
    LENT.append(open(unquote(environ["QUERY_STRING"]), "rb"))
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return environ["wsgi.file_wrapper"](LENT[-1])


def swap(environ, start_response):
    """`/swap?PATH`: closes what was lent and opens PATH; whether the descriptor is the same."""
    before = LENT[-1].fileno()
    LENT.pop().close()
    LENT.append(open(unquote(environ["QUERY_STRING"]), "rb"))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"same" if LENT[-1].fileno() == before else b"another"]


LENT = []

ROUTES = {"/file": send, "/lend": lend, "/swap": swap}

#!/usr/bin/env python
"""Responses that are produced while they are sent.

    python run.py [port]

    curl 'http://127.0.0.1:8080/squares?to=1000000' | tail -1
    curl -i http://127.0.0.1:8080/missing
    curl http://127.0.0.1:8080/open

The server sends a piece, then draws the next one, and serves other clients in between. So a long
response needs the memory of one piece, and a slow reader holds up nobody. What does hold up
everybody is code that waits: a generator that sleeps makes the whole server sleep.
"""
import sys

import fapws._evwsgi as evwsgi
from fapws import base

LINES_A_PIECE = 500


class Squares(object):
    """An iterator of its own: the server calls `close` once, at the end or when the client left."""

    open_count = 0

    def __init__(self, last):
        self.sent = 0
        self.last = last
        Squares.open_count += 1

    def __iter__(self):
        return self

    def __next__(self):
        if self.sent == self.last:
            raise StopIteration
        first, self.sent = self.sent + 1, min(self.sent + LINES_A_PIECE, self.last)
        lines = ["%d %d\n" % (n, n * n) for n in range(first, self.sent + 1)]
        return "".join(lines).encode("ascii")

    next = __next__  # the name that Python 2 looks for

    def close(self):
        Squares.open_count -= 1


def squares(environ, start_response):
    """`fapws.params` is the parsed query: each name with the list of its values."""
    last = environ["fapws.params"].get("to", ["10"])[0]
    if not last.isdigit():
        start_response("400 Bad Request", [("Content-Type", "text/plain")])
        return [b"to= takes a whole number\n"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Squares(min(int(last), 10 ** 7))


def missing(environ, start_response):
    """A generator runs when its first piece is drawn, and may choose the status then."""
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    yield b"There is nothing here,\n"
    yield b"and it took two pieces to say so.\n"


def open_answers(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(Squares.open_count).encode("ascii")]


def serve(port):
    evwsgi.start("127.0.0.1", port)
    evwsgi.set_base_module(base)
    evwsgi.wsgi_cb(("/squares", squares))
    evwsgi.wsgi_cb(("/missing", missing))
    evwsgi.wsgi_cb(("/open", open_answers))
    evwsgi.run()


if __name__ == "__main__":
    serve(sys.argv[1] if len(sys.argv) > 1 else "8080")

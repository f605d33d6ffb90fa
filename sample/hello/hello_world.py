#!/usr/bin/env python
"""The smallest program: two URLs, each with its own application.

    python hello_world.py [port]

    curl http://127.0.0.1:8080/hello
    curl http://127.0.0.1:8080/iterhello

Four steps make every program: `start` opens the port, `set_base_module` says how requests and
responses look, `wsgi_cb` puts an application under each URL, `run` serves until Ctrl-C.
"""
import sys

import fapws._evwsgi as evwsgi
from fapws import base


def hello(environ, start_response):
    """A response that is there at once: a list of bytes."""
    body = b"Hello, world!"
    start_response(
        "200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(body)))]
    )
    return [body]


def iterhello(environ, start_response):
    """A response in pieces: each one is sent before the next is drawn."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"Hello"
    yield b", "
    yield b"world!"


def serve(port):
    evwsgi.start("127.0.0.1", port)
    evwsgi.set_base_module(base)
    evwsgi.wsgi_cb(("/hello", hello))
    evwsgi.wsgi_cb(("/iterhello", iterhello))
    evwsgi.set_debug(0)
    evwsgi.run()


if __name__ == "__main__":
    serve(sys.argv[1] if len(sys.argv) > 1 else "8080")

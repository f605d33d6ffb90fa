"""A program that forks while its head is rendered: in `__str__`, and in a header's value."""
import os

import fapws._evwsgi as evwsgi
from fapws import base

from channel import listen

CALLS = []


class Head(base.Start_response):
    def __str__(self):
        CALLS.append(os.fork())
        if CALLS[-1]:
            os.waitpid(CALLS[-1], 0)
        return base.Start_response.__str__(self)


class Value(object):
    def __str__(self):
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        return "forked"


def value(environ, start_response):
    start_response("200 OK", [])
    start_response.response_headers["X-Value"] = Value()
    return [b"body"]


def head(environ, start_response):
    base.Start_response = PLAIN
    start_response("200 OK", [])
    return [b"body"]


def prepare(environ, start_response):
    """The next request's head forks."""
    base.Start_response = Head
    start_response("200 OK", [])
    return [b"prepared"]


PLAIN = base.Start_response
listen(evwsgi)
evwsgi.set_base_module(base)
for route in (value, head, prepare):
    evwsgi.wsgi_cb(("/" + route.__name__, route))
evwsgi.run()

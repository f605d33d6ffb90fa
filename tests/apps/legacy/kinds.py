"""One application for every kind of request and answer, and what the process holds, on `/holds`."""
import gc
import json
import sys

import fapws._evwsgi as evwsgi
from fapws import base
from fapws.contrib.multipart import MultipartFormData

from answers import ANSWERS
from channel import listen

StockEnviron = base.Environ


class Environ(base.Environ):
    """The stock environ, with a parser for multipart bodies."""

    def update_headers(self, data):
        StockEnviron.update_headers(self, data)
        if data.get("HTTP_CONTENT_TYPE", "").startswith("multipart/form-data"):
            self["wsgi.input"] = MultipartFormData("./")


def by_name(environ, start_response):
    """/answer/NAME."""
    return ANSWERS[environ["PATH_INFO"]](environ, start_response)


def echo(environ, start_response):
    """The body again."""
    stream = environ["wsgi.input"]
    return [stream.read()] if hasattr(stream, "read") else [str(stream.results).encode("ascii")]


def deferred(environ, start_response):
    """A deferred call, and one that fails."""
    evwsgi.defer(len, b"argument", False)
    evwsgi.defer(len, None, True)
    return [b"deferred"]


def holds(environ, start_response):
    """Objects of the collector, and references of the objects that every mistake is made with."""
    gc.collect()
    counted = [None, True, False, "", (), 0, 1, type(environ), dict, by_name, echo]
    held = {"objects": len(gc.get_objects()),
            "references": [sys.getrefcount(each) for each in counted]}
    return [json.dumps(held).encode("ascii")]


if len(sys.argv) > 1 and sys.argv[1] == "own":
    base.Environ = Environ
listen(evwsgi)
evwsgi.set_base_module(base)
evwsgi.wsgi_cb(("/answer/", by_name))
for name in ("echo", "deferred", "holds"):
    evwsgi.wsgi_cb(("/" + name, globals()[name]))
evwsgi.run()

#!/usr/bin/env python
"""Methods beyond GET and POST: TRACE from a decorator, PURGE in an application.

    python run.py [port]

    curl -X TRACE http://127.0.0.1:8080/slow
    curl http://127.0.0.1:8080/slow
    curl -X PURGE http://127.0.0.1:8080/slow

The legacy dialect sends a 501 for a method that is not in `base.supported_HTTP_command`, a plain
list that programs append to. The standard dialect lets any method through.
"""
import sys
import time

import fapws._evwsgi as evwsgi
from fapws import base

from tracing import Trace

base.supported_HTTP_command.append("TRACE")
base.supported_HTTP_command.append("PURGE")

kept = {}


@Trace()
def slow(environ, start_response):
    """Answers from what it kept, until a PURGE throws that away."""
    if environ["REQUEST_METHOD"] == "PURGE":
        words = "purged" if kept.pop("answer", None) else "nothing to purge"
    else:
        words = kept.setdefault("answer", "made at %.6f" % time.time())
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [words.encode("ascii")]


def serve(port):
    evwsgi.start("127.0.0.1", port)
    evwsgi.set_base_module(base)
    evwsgi.wsgi_cb(("/slow", slow))
    evwsgi.run()


if __name__ == "__main__":
    serve(sys.argv[1] if len(sys.argv) > 1 else "8080")

"""The application that the files beside this one serve: `python -m fapws hello:app`."""

import os


def app(environ, start_response):
    """Say which process answers."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("Hello from process %d\n" % os.getpid()).encode("ascii")]

"""What became of a body: its digest, and whether `read()` gives the object that holds it."""

import hashlib

PLAIN = [("Content-Type", "text/plain")]


def application(environ, start_response):
    """At /pieces the body is read by 64 KiB, elsewhere as a whole."""
    body = environ["wsgi.input"]
    if environ["PATH_INFO"] == "/pieces":
        whole = b"".join(iter(lambda: body.read(65536), b""))
        same = body.getvalue() == whole
    else:
        whole = body.read()
        same = body.getvalue() is whole
    start_response("200 OK", PLAIN)
    lines = [str(len(whole)), hashlib.sha256(whole).hexdigest(), str(same)]
    return ["\n".join(lines).encode("ascii")]


def register(evwsgi, base):
    """Serves everything."""
    evwsgi.wsgi_cb(("/", application))

"""A decorator that responds to TRACE for any application (RFC 9110 section 9.3.8).

The client gets its own request back as the server saw it, after all the proxies in between. Header
fields that hold secrets are left out, as that section requires: a script in a browser must not be
able to read a cookie that it could not read otherwise.
"""

SECRET = (b"authorization", b"proxy-authorization", b"cookie")


class Trace(object):
    def __call__(self, application):
        def traced(environ, start_response):
            if environ["REQUEST_METHOD"] != "TRACE":
                return application(environ, start_response)
            start_response("200 OK", [("Content-Type", "message/http")])
            return [public_head(environ["fapws.raw_header"])]

        return traced


def public_head(raw_header):
    """The request's head as bytes, without the secrets."""
    if not isinstance(raw_header, bytes):
        raw_header = raw_header.encode("latin-1")
    head = raw_header.split(b"\r\n\r\n", 1)[0]
    kept = []
    secret = False
    for line in head.split(b"\n"):
        # A line that begins with a blank continues the one before it, and shares its secrecy.
        if not line.startswith((b" ", b"\t")):
            secret = line.split(b":", 1)[0].strip().lower() in SECRET
        if not secret:
            kept.append(line)
    return b"\n".join(kept).rstrip(b"\r") + b"\r\n\r\n"

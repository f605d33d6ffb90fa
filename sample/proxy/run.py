#!/usr/bin/env python
"""A WSGI application that passes requests on to another server.

    python run.py [port] [origin]

    python3 -m http.server 8000 &
    python run.py 8080 http://127.0.0.1:8000
    curl http://127.0.0.1:8080/

The server is one thread and waits while the origin thinks: this shows how little a proxy is, and is
no substitute for nginx. It waits DEADLINE seconds at most, whatever the origin does, and it goes to
the one origin that the operator named, never to one that a request names.
"""
import re
import socket
import sys
import threading

import fapws._evwsgi as evwsgi
from fapws import base

try:
    from http.client import HTTPConnection, HTTPException
    from urllib.parse import urlsplit
except ImportError:  # Python 2
    from httplib import HTTPConnection, HTTPException
    from urlparse import urlsplit

DEADLINE = 10.0  # seconds for the whole exchange with the origin
LARGEST = 64 * 1024 * 1024  # bytes of a response, which is held in memory

PATH = re.compile("/[!-~]*$")

# These concern one connection and are not passed on (RFC 9110 section 7.6.1).
HOP_BY_HOP = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization proxy-connection"
    " te trailer transfer-encoding upgrade".split()
)


class Proxy(object):
    def __init__(self, origin):
        parts = urlsplit(origin)
        if parts.scheme != "http" or not parts.hostname:
            raise SystemExit("the origin must look like http://host:port, not %r" % origin)
        self.host = parts.hostname
        self.port = parts.port or 80

    def __call__(self, environ, start_response):
        if not PATH.match(environ["fapws.uri"]):
            start_response("400 Bad Request", [("Content-Type", "text/plain")])
            return [b"That is no path.\n"]
        try:
            response, content = self.ask(environ)
        # ValueError: a header of the request that http.client does not let through.
        except (HTTPException, socket.error, ValueError) as problem:
            environ["wsgi.errors"].write("proxy: %r\n" % problem)
            start_response("502 Bad Gateway", [("Content-Type", "text/plain")])
            return [b"The origin sent no usable response.\n"]
        status = "%d %s" % (response.status, response.reason)
        start_response(status, end_to_end(response.getheaders()))
        return [content]

    def ask(self, environ):
        """The origin's response object and its whole content; raises when there is none in time."""
        connection = HTTPConnection(self.host, self.port, timeout=DEADLINE)
        late = threading.Event()
        watchdog = threading.Timer(DEADLINE, give_up, [connection, late])
        watchdog.daemon = True
        try:
            connection.connect()
            # The socket's own timeout begins anew with each byte. This one does not.
            watchdog.start()
            connection.request(
                environ["REQUEST_METHOD"],
                environ["fapws.uri"],
                environ["wsgi.input"].read() or None,
                request_headers(environ),
            )
            response = connection.getresponse()
            content = response.read(LARGEST)
            if late.is_set() or response.length:
                raise HTTPException("cut short, late or longer than %d bytes" % LARGEST)
            return response, content
        finally:
            watchdog.cancel()
            connection.close()


def give_up(connection, late):
    """Runs on the watchdog's thread: a read that waits for the origin ends at once."""
    late.set()
    try:
        connection.sock.shutdown(socket.SHUT_RDWR)
    except (AttributeError, socket.error):
        pass  # it was closed in the same moment


def request_headers(environ):
    """The headers for the origin, out of an environ that spells them HTTP_USER_AGENT."""
    received = [
        (key[len("HTTP_") :].replace("_", "-"), value)
        for key, value in environ.items()
        if key.startswith("HTTP_") and key != "HTTP_CONTENT_LENGTH"
    ]
    headers = dict(end_to_end(received))
    if environ.get("CONTENT_TYPE"):
        headers["Content-Type"] = environ["CONTENT_TYPE"]
    headers["X-Forwarded-For"] = environ["REMOTE_ADDR"]
    return headers


def end_to_end(headers):
    """The headers without those that concern one connection, in one spelling of their names."""
    dropped = set(HOP_BY_HOP)
    for name, value in headers:
        if name.lower() == "connection":
            dropped.update(option.strip().lower() for option in value.split(","))
    return [(name.title(), value) for name, value in headers if name.lower() not in dropped]


def serve(port, origin):
    evwsgi.start("127.0.0.1", port)
    evwsgi.set_base_module(base)
    evwsgi.wsgi_cb(("/", Proxy(origin)))
    evwsgi.run()


if __name__ == "__main__":
    serve(
        sys.argv[1] if len(sys.argv) > 1 else "8080",
        sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8000",
    )

"""Serves itself a request of each kind, in one process: for Pythons that no test suite runs on.

A thread asks for a short response, a form, 3 MiB, a generator's items and a file, all on one
connection, and ends the server with SIGINT. The last line of stdout is `served everything`.
"""
import http.client
import os
import signal
import socket
import tempfile
import threading
import urllib.parse

import fapws._evwsgi as evwsgi
from fapws import base

LONG = b"0123456789abcdef" * (3 << 16)
FIELDS = {"name": ["value & more"], "list": ["1", "2"]}


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello World!!"]


def form(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr(environ["fapws.params"] == FIELDS).encode()]


def echo(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.input"].read()]


def items(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (b"item %d\n" % number for number in range(1000))


def file(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return environ["wsgi.file_wrapper"](open(path, "rb"))


def ask():
    """Every request, and what must come of it."""
    client = http.client.HTTPConnection("127.0.0.1", port(), timeout=300)

    def exchange(method, target, body=None, **headers):
        client.request(method, target, body, headers)
        response = client.getresponse()
        assert response.status == 200, (target, response.status)
        return response.read()

    assert exchange("GET", "/hello") == b"Hello World!!"
    kept = client.sock
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert exchange("POST", "/form", urllib.parse.urlencode(FIELDS, True), **form) == b"True"
    assert exchange("POST", "/echo", LONG) == LONG
    assert exchange("GET", "/items") == b"".join(b"item %d\n" % number for number in range(1000))
    assert exchange("GET", "/file") == LONG
    assert client.sock is kept, "the connection was not kept"
    client.close()
    done.append(True)


def port():
    with socket.fromfd(evwsgi.socket_fd(), socket.AF_INET, socket.SOCK_STREAM) as listener:
        return listener.getsockname()[1]


def work():
    try:
        ask()
    finally:
        os.kill(os.getpid(), signal.SIGINT)


done = []
with tempfile.NamedTemporaryFile(delete=False) as stored:
    stored.write(LONG)
path = stored.name
evwsgi.start("127.0.0.1", "0")
evwsgi.set_base_module(base)
for application in (hello, form, echo, items, file):
    evwsgi.wsgi_cb(("/" + application.__name__, application))
thread = threading.Thread(target=work)
evwsgi.on_ready(thread.start)
evwsgi.run()
thread.join()
os.unlink(path)
assert done, "a request failed"
print("served everything")

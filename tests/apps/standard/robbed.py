"""A program that closes a connection's descriptor, which is not its own."""
import json
import os


def application(environ, start_response):
    body = json.dumps(int(environ["REMOTE_PORT"])).encode("ascii")
    if environ["PATH_INFO"] == "/close":
        # A timer closes it when the response is written.
        TO_CLOSE.append(environ["fapws.socket_fd"])
        body = b"closed"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


#: Those of the last timer's call, whose responses are written by now, and those since.
WRITTEN, TO_CLOSE = [], []


def close_one():
    while WRITTEN:
        os.close(WRITTEN.pop())
    WRITTEN.extend(TO_CLOSE)
    del TO_CLOSE[:]


def register(evwsgi, base):
    evwsgi.wsgi_cb(("/", application))
    evwsgi.add_timer(0.01, close_one)

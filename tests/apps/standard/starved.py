"""Answers of several kinds, and `/starve?N`, which makes the N-th allocation from then on fail."""

import traceback

# CPython's own way to import and compile does not survive a failed allocation everywhere; what
# the core's error path needs is there beforehand.
try:
    raise ValueError("warm")
except ValueError:
    traceback.format_exc()

PLAIN = [("Content-Type", "text/plain")]


def items():
    yield b"one"
    yield b"two"


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/starve":
        import _testcapi

        number = int(environ["QUERY_STRING"])
        start_response("200 OK", PLAIN)
        _testcapi.set_nomemory(number, number + 1)
        return [b"starved"]
    if path == "/relieve":
        import _testcapi

        _testcapi.remove_mem_hooks()
    write = start_response("200 OK", PLAIN)
    if path == "/generator":
        return items()
    if path == "/write":
        write(b"one")
        return [b"two"]
    if path == "/body":
        environ["wsgi.input"].read(10)
    return [b"one", b"two"]


def register(evwsgi, base):
    evwsgi.wsgi_cb(("/", application))

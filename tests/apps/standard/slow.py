"""Applications that are slow until the client says that it has seen that.

`flag` in a query is the path of a file that the client makes, or a FIFO that it writes to. No
application waits longer than fifty seconds.
"""
import json
import os
import time

PLAIN = [("Content-Type", "text/plain")]
PATIENCE = 50
state = {}


def wait_here(flag):
    deadline = time.time() + PATIENCE
    # Nothing that it calls is Python code, so that it is the innermost of a stack.
    while time.time() < deadline and not os.access(flag, os.F_OK):
        time.sleep(0.001)


def wait_there(flag):
    wait_here(flag)


def here(environ, start_response):
    """`/here?flag`: waits."""
    wait_here(environ["QUERY_STRING"])
    start_response("200 OK", PLAIN)
    return [b"here"]


def there(environ, start_response):
    """`/there?flag`: waits in another function."""
    wait_there(environ["QUERY_STRING"])
    start_response("200 OK", PLAIN)
    return [b"there"]


def items(environ, start_response):
    """`/items?flag`: is quick, and waits between two items."""
    start_response("200 OK", PLAIN)
    yield b"first"
    wait_here(environ["QUERY_STRING"])
    yield b"last"


class Closing(object):
    """An item; `close()` waits."""

    def __init__(self, flag):
        self.items = iter([b"item"])
        self.flag = flag

    def __iter__(self):
        return self.items

    def close(self):
        wait_there(self.flag)


def closes(environ, start_response):
    """`/closes?flag`: is quick, and waits when it is closed."""
    start_response("200 OK", PLAIN)
    return Closing(environ["QUERY_STRING"])


def locked(environ, start_response):
    """`/locked?fifo`: a call into C that keeps the interpreter's lock until the client writes."""
    import ctypes

    fifo = os.open(environ["QUERY_STRING"], os.O_RDONLY)
    ctypes.PyDLL(None).read(fifo, ctypes.create_string_buffer(1), 1)
    os.close(fifo)
    start_response("200 OK", PLAIN)
    return [b"unlocked"]


def read(environ, start_response):
    """`/read?fifo`: the same with the lock given up."""
    with open(environ["QUERY_STRING"], "rb") as fifo:
        fifo.read(1)
    start_response("200 OK", PLAIN)
    return [b"read"]


def counted(environ, start_response):
    """`/counted?flag`: waits until the server counts it as slow, and makes the file then."""
    before = state["evwsgi"].stats()["slow_requests"]
    deadline = time.time() + PATIENCE
    while time.time() < deadline and state["evwsgi"].stats()["slow_requests"] == before:
        time.sleep(0.001)
    open(environ["QUERY_STRING"], "w").close()
    start_response("200 OK", PLAIN)
    return [b"counted"]


def later(environ, start_response):
    """`/later?flag`: a timer and a deferred call that wait."""
    flag = environ["QUERY_STRING"]
    state["evwsgi"].add_timer(0, lambda: wait_here(flag + "-timer"))
    state["evwsgi"].defer(wait_here, flag + "-deferred", False)
    start_response("200 OK", PLAIN)
    return [b"later"]


def stats(environ, start_response):
    """`/stats`: what `stats()` says."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(state["evwsgi"].stats()).encode("ascii")]


ROUTES = {"/here": here, "/there": there, "/items": items, "/closes": closes, "/locked": locked,
          "/read": read, "/counted": counted, "/later": later, "/stats": stats}


def application(environ, start_response):
    return ROUTES[environ["PATH_INFO"]](environ, start_response)


def register(evwsgi, base):
    state["evwsgi"] = evwsgi
    evwsgi.wsgi_cb(("/", application))

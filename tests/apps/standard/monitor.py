"""Applications that take their time, and see whether what was ready reached its client meanwhile.

`flag` in a query is the path of a file that the client makes when it has what it waits for.
"""
import os
import time

from waiting import PATIENCE, PLAIN, hello, seen


def wait(environ, start_response):
    """`/wait?flag`: `seen` when the client has made the file."""
    start_response("200 OK", PLAIN)
    return [b"seen" if seen(environ["QUERY_STRING"]) else b"unseen"]


def short(environ, start_response):
    """`/short`: half a millisecond."""
    time.sleep(0.0005)
    start_response("200 OK", PLAIN)
    return [b"short"]


def stream(environ, start_response):
    """`/stream?flag`: an item, then one that says whether the client had the first."""
    start_response("200 OK", PLAIN)
    yield b"first"
    yield b"seen" if seen(environ["QUERY_STRING"]) else b"unseen"


def ten(environ, start_response):
    """`/ten`: ten items, each at once."""
    start_response("200 OK", PLAIN)
    for _ in range(10):
        yield b"item"


def drip(environ, start_response):
    """`/drip?flag`: a byte every half millisecond until the client has one."""
    start_response("200 OK", PLAIN)
    deadline = time.time() + PATIENCE
    while time.time() < deadline:
        if os.path.exists(environ["QUERY_STRING"]):
            yield b"seen"
            return
        yield b"."
        time.sleep(0.0005)
    yield b"unseen"


def write(environ, start_response):
    """`/write?flag`: as `/stream`, by `write()`."""
    write = start_response("200 OK", PLAIN)
    write(b"first")
    return [b"seen" if seen(environ["QUERY_STRING"]) else b"unseen"]


def endless(environ, start_response):
    """`/endless?flag`: items until the client has a response to another request."""
    start_response("200 OK", PLAIN)
    deadline = time.time() + PATIENCE
    while time.time() < deadline and not os.path.exists(environ["QUERY_STRING"]):
        yield b"x"
    yield b"end"


def empty(environ, start_response):
    """`/empty?flag`: nothing but empty items until then."""
    start_response("200 OK", PLAIN)
    deadline = time.time() + PATIENCE
    while time.time() < deadline and not os.path.exists(environ["QUERY_STRING"]):
        yield b""
    yield b"end"


class Forever(object):
    """Empty items for ever; says in a file that it was closed."""

    def __init__(self, flag):
        self.flag = flag
        self.drawn = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.drawn += 1
        if self.drawn == 20:
            open(self.flag + "-runs", "w").close()
        return b""

    next = __next__

    def close(self):
        open(self.flag, "w").close()


def forever(environ, start_response):
    """`/forever?flag`"""
    start_response("200 OK", PLAIN)
    return Forever(environ["QUERY_STRING"])


class Dripping(Forever):
    """An item that says so when the client has left, and more of them one after the other."""

    def __next__(self):
        self.drawn += 1
        if self.drawn == 2:
            seen(self.flag + "-left")
        elif self.drawn > 2:
            time.sleep(0.05)
        return b"item"

    next = __next__


def dripping(environ, start_response):
    """`/dripping?flag`"""
    start_response("200 OK", PLAIN)
    return Dripping(environ["QUERY_STRING"])


state = {"drawn": 0}


def reluctant(environ, start_response):
    """`/reluctant?flag`: an empty item every now and then, first of all when the client says so."""
    start_response("200 OK", PLAIN)
    seen(environ["QUERY_STRING"])
    for state["drawn"] in range(1, 30):
        yield b""
        time.sleep(0.02)
    yield b"end"


def drawn(environ, start_response):
    """`/drawn`: how many empty items `/reluctant` has given."""
    start_response("200 OK", PLAIN)
    return [("%d" % state["drawn"]).encode("ascii")]


def hang(environ, start_response):
    """`/hang?flag`: says that it hangs, and does."""
    open(environ["QUERY_STRING"], "w").close()
    deadline = time.time() + 60
    while time.time() < deadline:
        try:
            time.sleep(60)
        except BaseException:
            pass
    start_response("200 OK", PLAIN)
    return [b"awake"]


def fork(environ, start_response):
    """`/fork`: forks inside of the call; the child comes back and is ended."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    start_response("200 OK", PLAIN)
    return [b"forked"]


ROUTES = {"/": hello, "/wait": wait, "/short": short, "/stream": stream, "/ten": ten, "/drip": drip,
          "/write": write, "/endless": endless, "/empty": empty, "/forever": forever,
          "/hang": hang, "/fork": fork, "/dripping": dripping, "/reluctant": reluctant,
          "/drawn": drawn}


def application(environ, start_response):
    # The legacy dialect has "" for the root, and no slash.
    return ROUTES["/" + environ["PATH_INFO"].lstrip("/")](environ, start_response)


def register(evwsgi, base):
    evwsgi.wsgi_cb(("/", application))

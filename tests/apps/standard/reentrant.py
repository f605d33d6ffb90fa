"""Applications whose objects come back to the server where nobody expects Python code to run."""
import gc
import io
import os
import sys
import threading
import time
import weakref

PLAIN = [("Content-Type", "text/plain")]
KEPT = {}


class Returned(list):
    """A result whose `close` says that the application returned."""

    def __init__(self, items, event):
        list.__init__(self, items)
        self.event = event

    def close(self):
        self.event.set()


class Lingering(bytes):
    """Bytes whose destructor lets other threads run: until the application returned, in its own."""

    entered = left = writer = None

    def __del__(self):
        if self.entered:
            self.entered.set()
            self.left.wait(10 if threading.current_thread() is self.writer else 0.1)


def write_in_thread(environ, start_response):
    """The application returns while its thread is inside `write`, in a destructor.

    Where `write` keeps what it was given, the destructor runs in the thread that sends it: when the
    application has returned, or before, if the query names the file that says that it was sent.
    """
    write = start_response("200 OK", PLAIN + [("Content-Length", "20003")])
    entered, left = threading.Event(), threading.Event()

    def work():
        item = Lingering(b"x" * 20000)
        item.entered, item.left, item.writer = entered, left, threading.current_thread()
        data = [item]
        del item
        write(data.pop())
        entered.set()

    thread = threading.Thread(target=work)
    thread.start()
    entered.wait(10)
    sent = environ["QUERY_STRING"]
    deadline = time.time() + 60
    while sent and not os.path.exists(sent) and time.time() < deadline:
        time.sleep(0.01)
    return Returned([b"end"], left)


def headers_that_start(environ, start_response):
    """Headers from a generator that calls `start_response` itself, and raises."""

    def headers():
        start_response("200 Inner", PLAIN + [("X-Inner", "1")])
        yield ("X-Outer", "1")
        raise ValueError("planned")

    try:
        start_response("500 Outer", headers())
    except ValueError:
        pass
    return [b"body"]


def headers_that_start_and_end(environ, start_response):
    """The same, but the outer call comes to its end: it is the second."""

    def headers():
        start_response("200 Inner", PLAIN + [("X-Inner", "1")])
        yield ("X-Outer", "1")

    try:
        start_response("500 Outer", headers())
    except AssertionError:
        return [b"second"]
    return [b"first"]


class Value(str):
    """A header value that refers to anything."""


class Tracer(object):
    """What can be referred to weakly, as a string of Python 2 cannot."""


def keep_value(environ, start_response):
    value = Value("1")
    value.start_response = start_response
    value.tracer = Tracer()
    KEPT["value"] = weakref.ref(value.tracer)
    start_response("200 OK", PLAIN + [("X-Value", value)])
    return [b"kept"]


def look_at_value(environ, start_response):
    gc.collect()
    start_response("200 OK", PLAIN)
    return [b"gone" if KEPT["value"]() is None else b"there"]


class Forking(object):
    """A header value that forks when it is asked what it says."""

    def __init__(self, calls):
        self.calls = calls

    def __str__(self):
        self.calls.append(os.fork())
        return "forked"


def fork_in_header(environ, start_response):
    calls = []
    start_response("200 OK", PLAIN)
    start_response.response_headers["X-Forking"] = Forking(calls)

    def items():
        yield b"one "
        # The child ended where its bytes would have left.
        os.waitpid(calls[0], 0)
        yield b"two"

    return items()


class ForkingStream(object):
    def __init__(self, stream):
        self.stream = stream

    def write(self, text):
        sys.stderr = self.stream
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        return self.stream.write(text)

    def flush(self):
        self.stream.flush()


def fork_in_log(environ, start_response):
    """The log stream forks while the failure is reported."""
    sys.stderr = ForkingStream(sys.stderr)
    raise ValueError("planned failure")


def many_items(environ, start_response):
    """A list of many short items: 200 MB that are there only once."""
    start_response("200 OK", PLAIN)
    return [b"x" * 4000] * 50000


class Own(list):
    """A list that says itself what it is iterated as."""

    def __iter__(self):
        return iter([b"own ", b"items"])


class OwnTuple(tuple):
    def __iter__(self):
        return iter([b"own ", b"items"])


def own_list(environ, start_response):
    start_response("200 OK", PLAIN)
    return Own([b"stored"])


def own_tuple(environ, start_response):
    start_response("200 OK", PLAIN)
    return OwnTuple([b"stored"])


def pipe(environ, start_response):
    """A pipe: what comes next is written when the client has what came before.

    The query is the path of the file with which the client says so, and how the pipe is returned.
    """
    path, how = environ["QUERY_STRING"].split(";")
    reading, writing = os.pipe()

    def feed():
        os.write(writing, b"first\n")
        while not os.path.exists(path):
            time.sleep(0.01)
        os.write(writing, b"second\n")
        os.close(writing)

    threading.Thread(target=feed).start()
    start_response("200 OK", PLAIN)
    source = io.open(reading, "rb", buffering=0 if how == "raw" else 8192)
    if how == "wrapped":
        return environ["wsgi.file_wrapper"](source, 8192)
    return source


def input_object(environ, start_response):
    """What the methods of `wsgi.input` give, one line each."""
    body = environ["wsgi.input"]
    buffered = io.BufferedReader(body)
    lines = [repr(buffered.readline()), repr(buffered.read())]
    body.seek(0)
    wrapped = io.TextIOWrapper(io.BufferedReader(body), "latin-1", newline="")
    lines.append(repr([str(line) for line in wrapped.readlines()]))
    body.seek(2)
    into = bytearray(3)
    count = body.readinto(into)
    lines.append("%d %s" % (count, into.decode("latin-1")))
    lines.append(body.getvalue().decode("latin-1").replace("\n", "|"))
    lines.append(body.getvalue(True).decode("latin-1"))
    body.reset()
    lines.append("%d %s" % (body.tell(), body.isatty()))
    for buffer in (b"fixed", 5):
        try:
            body.readinto(buffer)
        except TypeError:
            lines.append("TypeError")
    start_response("200 OK", PLAIN)
    return ["\n".join(lines).encode("latin-1")]


def two_inputs(environ, start_response):
    """Whether this request's input is the one that the last request's was, and its position."""
    body = environ["wsgi.input"]
    before, KEPT["input"] = KEPT.get("input"), body
    start_response("200 OK", PLAIN)
    answer = "%s %d" % (body is before, body.tell())
    body.seek(7)
    return [answer.encode("latin-1")]


ROUTES = {
    "/write-in-thread": write_in_thread,
    "/headers-that-start": headers_that_start,
    "/headers-that-start-and-end": headers_that_start_and_end,
    "/keep-value": keep_value,
    "/look-at-value": look_at_value,
    "/fork-in-header": fork_in_header,
    "/fork-in-log": fork_in_log,
    "/many-items": many_items,
    "/own-list": own_list,
    "/own-tuple": own_tuple,
    "/pipe": pipe,
    "/input-object": input_object,
    "/two-inputs": two_inputs,
}


def application(environ, start_response):
    return ROUTES[environ["PATH_INFO"]](environ, start_response)


def register(evwsgi, base):
    evwsgi.wsgi_cb(("/", application))

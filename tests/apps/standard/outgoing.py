"""What an application may answer with, as a plan that the test sends along.

`/respond?PLAN`, PLAN being percent-encoded JSON:

    name      journal name: `start`, `item N` when item N is asked for, `end`, `close`; the close
              of one named `shouted` is told on stderr too, for who asks after the server's end
    status    default `200 OK`
    headers   list of pairs, default a Content-Type
    shape     list, tuple, generator (default), iterator, iterable, empty-iterator, bytes, none,
              number, closing (an iterator with `close`), closing-list (a list subclass with it)
    items     list of strings, or [string, times] for a long one
    times     how often the whole list of items is repeated, default once
    start     `now` (default), `late` (at the first item asked for), `never`
    fail      `call`, `iter`, `close`, or N: raise when item N is asked for
    raises    name of the exception of `fail`, default `ValueError`
    write     strings handed to `write()` before the result is returned
"""
import ctypes
import json
import os
import socket
import struct
import sys
import time

try:
    from urllib.parse import unquote
except ImportError:  # Python 2.7
    from urllib import unquote

from journal import record

#: From <linux/tcp.h>: the option, and where `tcpi_data_segs_out` stands in its struct.
TCP_INFO, DATA_SEGS_OUT = 11, 156
LIBC = ctypes.CDLL(None)

EXCEPTIONS = {kind.__name__: kind for kind in (
    ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError, StopIteration)}


def encode(item):
    """An item of a plan as the bytes it stands for."""
    if isinstance(item, list):
        return item[0].encode("latin-1") * item[1]
    return item.encode("latin-1")


def native(text):
    """JSON's text as the native string that PEP 3333 asks for."""
    return text if str is not bytes else text.encode("latin-1")


def boom(plan):
    return EXCEPTIONS[plan.get("raises", "ValueError")]("planned failure")


class Closing(object):
    """An iterator over a generator that keeps the journal of how the server treats it."""

    def __init__(self, plan, items):
        self.plan = plan
        self.items = items

    def __iter__(self):
        if self.plan.get("fail") == "iter":
            raise boom(self.plan)
        return self

    def __next__(self):
        return next(self.items)

    next = __next__

    def close(self):
        record(self.plan.get("name"), "close")
        if self.plan.get("name") == "shouted":
            sys.stderr.write("closed shouted\n")
        if self.plan.get("fail") == "close":
            raise boom(self.plan)


class ClosingList(list):
    """A list with a `close`, as some middleware returns."""

    def close(self):
        record(self.name, "close")


class Iterable(object):
    """Neither list nor iterator: only `__iter__`."""

    def __init__(self, items):
        self.items = items

    def __iter__(self):
        return self.items


def respond(environ, start_response):
    plan = json.loads(unquote(environ["QUERY_STRING"]))
    name, shape = plan.get("name"), plan.get("shape", "generator")
    items = [encode(item) for item in plan.get("items", [])] * plan.get("times", 1)
    headers = [(native(key), native(value))
               for key, value in plan.get("headers", [["Content-Type", "text/plain"]])]

    def start():
        write = start_response(native(plan.get("status", "200 OK")), headers)
        record(name, "start")
        return write

    def produce():
        if plan.get("start") == "late":
            start()
        for number, item in enumerate(items):
            record(name, "item %d" % number)
            if plan.get("fail") == number:
                raise boom(plan)
            yield item
        record(name, "end")

    if plan.get("start", "now") == "now":
        write = start()
        for text in plan.get("write", []):
            write(encode(text))
    if plan.get("fail") == "call":
        raise boom(plan)
    if shape == "list":
        return items
    if shape == "tuple":
        return tuple(items)
    if shape == "closing-list":
        result = ClosingList(items)
        result.name = name
        return result
    if shape == "generator":
        return produce()
    if shape == "iterator":
        return iter(items)
    if shape == "iterable":
        return Iterable(produce())
    if shape == "empty-iterator":
        return iter([])
    if shape == "closing":
        return Closing(plan, produce())
    if shape == "bytes":
        return b"".join(items)
    return {"none": None, "number": 42}[shape]


def stepwise(environ, start_response):
    """`/stepwise?PATH`: yields `one`, and `two` only after the file PATH exists.

    It blocks the whole server meanwhile (bounded: 30 s), so `one` can only be seen by then if
    it was written before the second item was asked for.
    """
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"one"
    if not comes(unquote(environ["QUERY_STRING"]), 30):
        sys.stderr.write("stepwise: the file never came\n")
    yield b"two"


def comes(path, seconds):
    """Whether a file is there, or will be in that time."""
    for _ in range(seconds * 100):
        if os.path.exists(path):
            return True
        time.sleep(0.01)
    return False


def whole(environ, start_response):
    """`/whole?PATH`: all that its Content-Length says, and then it looks for the file PATH, which
    the journal of that name is told of."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    yield b"all"
    path = unquote(environ["QUERY_STRING"])
    record(path, "seen" if comes(path, 30) else "unseen")


def wait(environ, start_response):
    """`/wait?PATH`: blocks the server until the file PATH is there, for two seconds at most."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"seen" if comes(unquote(environ["QUERY_STRING"]), 2) else b"unseen"]


def segments(environ, start_response):
    """`/segments`: how many packets with data the server's sockets have sent so far."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(sum(map(segments_sent, range(3, 60)))).encode("ascii")]


def segments_sent(descriptor):
    """Packets with data that a socket has sent; none where the descriptor is no TCP socket."""
    about, length = ctypes.create_string_buffer(192), ctypes.c_uint(192)
    # Not by a socket object: the answer has to be a quick one.
    if LIBC.getsockopt(descriptor, socket.IPPROTO_TCP, TCP_INFO, about, ctypes.byref(length)):
        return 0
    return struct.unpack_from("I", about, DATA_SEGS_OUT)[0]


def patient(environ, start_response):
    """`/patient?NAME`: 40 items, a fiftieth of a second each, which the journal tells of."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    for number in range(40):
        record(environ["QUERY_STRING"], "item %d" % number)
        yield b"item"
        time.sleep(0.02)


def sleep(environ, start_response):
    """`/sleep?SECONDS`: answers after that time, blocking the server."""
    time.sleep(float(environ["QUERY_STRING"]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"slept"]


ROUTES = {"/respond": respond, "/stepwise": stepwise, "/patient": patient, "/sleep": sleep,
          "/whole": whole, "/wait": wait, "/segments": segments}

"""Objects whose methods do anything, by the seed that the query names: one request, one plan."""

import gc
import io
import os
import random
import resource
import sys
import tempfile
import threading
import time

PLAIN = [("Content-Type", "text/plain"), ("X-Seed", "1")]
KEPT = []


class Planned(Exception):
    """Raised on purpose."""


class Deeds(object):
    """What the objects of one request do when they are called."""

    def __init__(self, random, environ, start_response):
        self.random = random
        self.environ = environ
        self.start_response = start_response
        self.budget = 6

    def do(self):
        """One thing, most often nothing."""
        if self.budget == 0 or self.random.random() < 0.5:
            return
        self.budget -= 1
        self.random.choice(self.ALL)(self)

    def collect(self):
        gc.collect()

    def give_way(self):
        time.sleep(0.001)

    def ask_the_core(self):
        EVWSGI.parse_query("a=1&b=2")
        EVWSGI.stats()

    def defer(self):
        EVWSGI.defer(len, "x", True)

    def time(self):
        EVWSGI.stop_timer(EVWSGI.add_timer(1000, gc.collect) - 1)

    def start_again(self):
        try:
            self.start_response("200 Again", list(PLAIN))
        except Exception:
            pass

    def run_again(self):
        try:
            EVWSGI.run()
        except EVWSGI.error:
            pass

    def raise_one(self):
        raise Planned

    def fork(self):
        """The child comes back to the server."""
        child = os.fork()
        if child:
            KEPT.append(child)

    def close_the_connection(self):
        number = self.environ.get("fapws.socket_fd")
        if number is not None:
            os.close(number)
            self.environ["fapws.socket_fd"] = None

    def read(self):
        body = self.environ["wsgi.input"]
        body.read(3)
        body.seek(0)

    def patch(self):
        original = BASE.Environ.update_uri
        BASE.Environ.update_uri = lambda self, data: original(self, data)
        BASE.Environ.update_uri = original

    def write_in_a_thread(self):
        write = self.environ.get("anywhere.write")
        if write:
            data = [Item(b"x" * 5000)]
            data[0].deeds = self
            thread = threading.Thread(target=lambda: quietly(write, data.pop()))
            thread.start()
            KEPT.append(thread)

    ALL = [
        collect, give_way, give_way, ask_the_core, defer, time, start_again, run_again, raise_one,
        fork, close_the_connection, read, patch, write_in_a_thread,
    ]  # fmt: skip


def quietly(call, *arguments):
    try:
        call(*arguments)
    except Exception:
        pass


class Item(bytes):
    deeds = None

    def __del__(self):
        if self.deeds:
            quietly(self.deeds.do)


class Value(object):
    def __init__(self, deeds):
        self.deeds = deeds

    def __str__(self):
        self.deeds.do()
        return "value"


class Result(object):
    def __init__(self, deeds, items):
        self.deeds, self.items = deeds, items

    def __iter__(self):
        self.deeds.do()
        for item in self.items:
            self.deeds.do()
            yield item

    def close(self):
        self.deeds.do()


class File(io.BytesIO):
    deeds = None

    def read(self, *arguments):
        self.deeds.do()
        return io.BytesIO.read(self, *arguments)

    def close(self):
        if self.deeds:
            self.deeds.do()
        io.BytesIO.close(self)


def headers(deeds):
    for pair in PLAIN:
        deeds.do()
        yield pair


def application(environ, start_response):
    if environ["PATH_INFO"] == "/hello":
        start_response("200 OK", list(PLAIN))
        return [b"hello"]
    draw = random.Random(int(environ["QUERY_STRING"]))
    deeds = Deeds(draw, environ, start_response)
    try:
        write = start_response("200 OK", draw.choice([list(PLAIN), headers(deeds)]))
        environ["anywhere.write"] = write
        if draw.random() < 0.4:
            start_response.response_headers["X-Value"] = Value(deeds)
        deeds.do()
        items = [Item(b"i" * draw.choice([1, 100, 5000, 70000])) for _ in range(draw.randrange(6))]
        for item in items:
            item.deeds = deeds
        if write and draw.random() < 0.3:
            write(items.pop() if items else b"w")
        kind = draw.randrange(5)
        if kind == 0:
            return items
        if kind == 1:
            return tuple(items)
        if kind == 2:
            result = File(b"f" * 100000)
            result.deeds = deeds
            return environ["wsgi.file_wrapper"](result)
        if kind == 3:
            result = tempfile.TemporaryFile()
            result.write(b"t" * 100000)
            result.seek(0)
            return result
        return Result(deeds, items)
    finally:
        while len(KEPT) > 8:
            kept = KEPT.pop(0)
            if isinstance(kept, int):
                os.waitpid(kept, 0)


def limit():
    """Few addresses, where the test says so."""
    with open("/proc/self/statm") as statm:
        most = int(statm.read().split()[0]) * resource.getpagesize() + (64 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def register(evwsgi, base):
    global EVWSGI, BASE
    EVWSGI, BASE = evwsgi, base
    evwsgi.wsgi_gen_cb(application)
    if os.environ.get("ANYWHERE_LIMIT"):
        evwsgi.on_ready(limit)
    getattr(sys, "setswitchinterval", sys.getsizeof)(0.0005)

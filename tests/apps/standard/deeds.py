"""Objects whose methods do anything that a program may do, by a seed: one request, one plan."""

import gc
import io
import os
import signal
import tempfile
import threading
import time

PLAIN = [("Content-Type", "text/plain"), ("X-Seed", "1")]

#: Threads, and numbers of child processes, that nobody has waited for.
KEPT = []


class Planned(Exception):
    """Raised on purpose."""


class Deeds(object):
    """What the objects of one request do when they are called."""

    evwsgi = base = None

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
        self.evwsgi.parse_query("a=1&b=2")
        self.evwsgi.stats()

    def defer(self):
        self.evwsgi.defer(len, "x", True)

    def time(self):
        self.evwsgi.stop_timer(self.evwsgi.add_timer(1000, gc.collect) - 1)

    def start_again(self):
        try:
            self.start_response("200 Again", list(PLAIN))
        except Exception:
            pass

    def run_again(self):
        try:
            self.evwsgi.run()
        except self.evwsgi.error:
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
        environ = self.base.Environ
        original = environ.update_uri
        environ.update_uri = lambda self, data: original(self, data)
        environ.update_uri = original

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
    except BaseException:
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


def respond(deeds, result=Result):
    """A response of any kind; each object that the server is given does something when used."""
    draw, environ = deeds.random, deeds.environ
    write = deeds.start_response("200 OK", draw.choice([list(PLAIN), headers(deeds)]))
    environ["anywhere.write"] = write
    if draw.random() < 0.4:
        deeds.start_response.response_headers["X-Value"] = Value(deeds)
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
        wrapped = File(b"f" * 100000)
        wrapped.deeds = deeds
        return environ["wsgi.file_wrapper"](wrapped)
    if kind == 3:
        body = tempfile.TemporaryFile()
        body.write(b"t" * 100000)
        body.seek(0)
        return body
    return result(deeds, items)


def end_child(child):
    """Waits for a child; one of a program with threads may wait for ever for a lock of Python's own
    streams, which another thread held when it was forked.
    """
    deadline = time.time() + 2
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if time.time() > deadline:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.001)


def wait_for_kept(most):
    """Waits for all but so many threads and children."""
    while len(KEPT) > most:
        kept = KEPT.pop(0)
        if isinstance(kept, int):
            end_child(kept)
        elif most == 0:
            kept.join()

"""The interpreter ends while `run` is in a daemon thread: the process ends in order all the same.

Each test leaves the thread as it is; that the process then exits with 0 is what is tested. CPython
before 3.14 unwinds such a thread as soon as it asks for the interpreter's lock.
"""

import atexit
import gc
import io
import os
import socket
import sys
import threading
import time

#: Called when what the core registered with `atexit` has been: that was later than this.
after = []


def call_after():
    for check in after:
        if not check():
            os.write(2, b"the loop did not end\n")
            os._exit(3)


atexit.register(call_after)

from case import PYTHON_2, Case, evwsgi, main  # noqa: E402


def threads(listdir=os.listdir, open=open):
    """The names of all threads."""
    names = []
    for task in listdir("/proc/self/task"):
        with open("/proc/self/task/%s/comm" % task) as name:
            names.append(name.read())
    return names


def threads_beside_the_monitor(threads=threads):
    """How many there are; the monitor may end."""
    return len([name for name in threads() if "monitor" not in name])


class Waking(object):
    """Wakes the loop when modules are taken apart; no thread may be unwound by that."""

    def __init__(self, client):
        self.uses = client.sendall, time.sleep, threads_beside_the_monitor, os._exit
        deadline = time.time() + 60
        # A new thread names itself.
        while not any("monitor" in name for name in threads()) and time.time() < deadline:
            time.sleep(0.01)
        self.threads = None if PYTHON_2 else threads_beside_the_monitor()

    def __del__(self):
        sendall, sleep, threads, leave = self.uses
        expected = self.threads
        for _ in range(20):
            sendall(b"G")
            sleep(0.02)
        # Python 2 unwinds none; there a thread may end by itself, of what is missing by then.
        leave(0 if expected is None or threads() == expected else 4)


class Daemon(Case):
    """`run` in a daemon thread, in various places when the program ends."""

    def leave(self, application=None):
        """Returns when `run` waits, or when a request is in the application."""
        entered = threading.Event()

        def entering(environ, start_response):
            start_response("200 OK", [])
            self.environ = environ
            entered.set()
            return application(entered) if application else [b"x"]

        address = self.serve("standard")
        evwsgi.wsgi_gen_cb(entering)
        thread = threading.Thread(target=evwsgi.run)
        thread.daemon = True
        thread.start()
        self.thread = thread
        client = socket.create_connection(address)
        if application:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertTrue(entered.wait(60))
        else:
            client.sendall(b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertTrue(client.recv(65536))
        self.client = client

    def test_it_waits(self):
        self.leave()

    def test_it_computes(self):
        def compute(entered):
            while True:
                sum(range(1000))

        self.leave(compute)

    def test_it_computes_in_a_generator(self):
        def blocks(entered):
            while True:
                sum(range(10000))
                yield b"x"

        self.leave(blocks)

    def test_it_computes_in_a_destructor(self):
        class Last(object):
            def __del__(self):
                while True:
                    sum(range(1000))

        def drop(entered):
            class Result(list):
                """Is dropped by the server alone."""

            result = Result([b"x"])
            result.last = Last()
            return result

        self.leave(drop)

    def test_it_collects(self):
        """In a destructor that the collector runs, while a class of ours makes an instance."""

        class Last(object):
            def __init__(self):
                self.cycle = self

            def __del__(self):
                while True:
                    sum(range(1000))

        def collect(entered):
            names = ["%d" % number for number in range(100)]
            wrap, file = self.environ["wsgi.file_wrapper"], io.BytesIO()
            gc.disable()
            gc.set_threshold(1, 1, 1)
            for _ in range(3):
                Last()
            # What the call itself needs is there, so that nothing else makes the collector run.
            free = [(name,) for name in names]
            del free
            gc.enable()
            wrap(file)
            time.sleep(3600)

        self.leave(collect)
        sys.last_of_all = Waking(self.client)

    def test_it_sleeps(self):
        def sleep(entered):
            time.sleep(3600)

        self.leave(sleep)

    def test_the_loop_ends_before_the_interpreter(self):
        self.leave()

        def check():
            self.thread.join(60)
            return not self.thread.is_alive() and self.client.recv(1) == b""

        after.append(check)

    def test_a_response_in_flight_is_sent_first(self):
        def slowly(entered):
            time.sleep(0.2)
            return [b"the whole"]

        self.leave(slowly)
        after.append(lambda: self.client.makefile("rb").read().endswith(b"the whole"))

    def test_the_end_takes_long(self):
        """A thread in a call that did not end in time asks for the lock meanwhile."""

        def wait(entered, sleep=time.sleep):
            while True:
                sleep(0.001)

        self.leave(wait)
        sys.last_of_all = Waking(self.client)

    def test_a_program_that_forgets_what_atexit_has(self):
        """So does the thread that polls."""
        self.leave()
        if PYTHON_2:
            atexit._exithandlers[:] = []
        else:
            atexit._clear()
        sys.last_of_all = Waking(self.client)


if __name__ == "__main__":
    main()

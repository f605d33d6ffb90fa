"""The interpreter ends while `run` is in a daemon thread: the process ends in order all the same.

Each test leaves the thread as it is; that the process then exits with 0 is what is tested. CPython
before 3.14 unwinds such a thread as soon as it asks for the interpreter's lock.
"""

import socket
import sys
import threading
import time

from case import Case, evwsgi, main


class Daemon(Case):
    """`run` in a daemon thread, in various places when the program ends."""

    def leave(self, application=None):
        """Returns when `run` waits, or when a request is in the application."""
        entered = threading.Event()

        def entering(environ, start_response):
            start_response("200 OK", [])
            entered.set()
            return application(entered)

        address = self.serve("standard")
        evwsgi.wsgi_gen_cb(entering)
        thread = threading.Thread(target=evwsgi.run)
        thread.daemon = True
        thread.start()
        client = socket.create_connection(address)
        if application:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertTrue(entered.wait(60))
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

    def test_it_sleeps(self):
        def sleep(entered):
            time.sleep(3600)

        self.leave(sleep)

    def test_requests_come_while_it_ends(self):
        """The loop wakes up, and its thread asks for the lock of an interpreter that ends."""

        class Last(object):
            def __init__(self, client):
                self.client = client
                self.sleep = time.sleep

            def __del__(self):
                for _ in range(10):
                    try:
                        self.client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    except EnvironmentError:
                        break  # Python 2 closes sockets first
                    self.sleep(0.01)

        self.leave()
        # Dropped when the interpreter clears this module.
        sys.last = Last(self.client)


if __name__ == "__main__":
    main()

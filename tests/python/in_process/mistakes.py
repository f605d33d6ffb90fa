"""Descriptors that are not the program's, which it closes by mistake; and none left."""

import errno
import os
import resource
import socket
import subprocess
import sys

from case import PYTHON_2, Case, ask, evwsgi, main


CLOSES_THE_LOOP = """
import os, signal
import fapws._evwsgi as evwsgi
from fapws import base
base.config.dialect = "standard"
evwsgi.start("127.0.0.1", "0")
evwsgi.set_base_module(base)
signal.alarm(60)
evwsgi.on_ready(lambda: os.closerange(3, 1000))
evwsgi.run()
"""


class Closing(object):
    """A result that ends a descriptor when it is closed."""

    def __init__(self, number, end):
        self.number, self.end = number, end

    def __iter__(self):
        return iter([b"x"])

    def close(self):
        self.end(self.number)


class ByMistake(Case):
    def served_after(self, end):
        """The server serves others after an application ended its connection's number by `end`."""
        address = self.serve("standard")

        def application(environ, start_response):
            start_response("200 OK", [])
            if environ["PATH_INFO"] == "/mistake":
                return Closing(int(environ["fapws.socket_fd"]), end)
            return [b"next"]

        evwsgi.wsgi_cb(("/", application))

        def client():
            robbed = socket.create_connection(address)
            robbed.sendall(b"GET /mistake HTTP/1.1\r\nHost: a\r\n\r\n")
            for _ in range(3):
                request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                try:
                    answer = ask(address, request)
                except EnvironmentError as error:
                    # Client and server share a process here: the first new socket may get the very
                    # number that the application closed, before the server closes it, too.
                    if error.errno != errno.EBADF:
                        raise
                    answer = ask(address, request)
                self.assertTrue(answer.endswith(b"next"))
            robbed.close()

        self.run_with(client)

    def test_close_in_close(self):
        self.served_after(os.close)

    def test_a_socket_object_of_the_number(self):
        """It closes the number when it is collected."""
        if PYTHON_2:
            return
        self.served_after(lambda number: socket.socket(fileno=number))

    def test_a_number_that_is_another_file_by_now(self):
        def end(number):
            reader, writer = os.pipe()
            os.dup2(reader, number)

        self.served_after(end)

    def test_the_loops_own_descriptors(self):
        """Nothing can be polled any more: that is logged, and ends the process."""
        program = subprocess.Popen(
            [sys.executable, "-c", CLOSES_THE_LOOP], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        log = program.communicate()[1]
        self.assertEqual(1, program.returncode, log)
        self.assertTrue(b"epoll" in log, log)

    def test_none_is_left_for_run(self):
        self.serve("standard")
        used = len(os.listdir("/proc/self/fd"))
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (used - 1, hard))
        self.assertRaises(evwsgi.error, evwsgi.run)


if __name__ == "__main__":
    main()

"""what the in-process tests share: capturing and asking a server.

Each test method runs in a process of its own, started by test_in_process.py, because the
core's list of applications, timers and sockets belong to the process. Python 2.7 reads this too.
"""

import errno
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
import unittest

import fapws._evwsgi as evwsgi
from fapws import base

PYTHON_2 = sys.version_info[0] == 2


def main():
    """Run the test named on the command line."""
    unittest.main()


def end_run():
    """End `run` as an operator would."""
    os.kill(os.getpid(), signal.SIGTERM)


def ask(address, request=b"GET / HTTP/1.0\r\n\r\n"):
    """The answer's bytes to one request, to the end of the connection.

    Between two calls of `run` nobody listens: a refusal is tried again for a minute.
    """
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    deadline = time.time() + 60
    while True:
        client = socket.socket(family, socket.SOCK_STREAM)
        client.settimeout(60)
        refused = client.connect_ex(address) == errno.ECONNREFUSED
        if not refused or time.time() > deadline:
            break
        client.close()
        time.sleep(0.01)
    client.sendall(request)
    answer = b""
    while True:
        data = client.recv(65536)
        if not data:
            break
        answer += data
    client.close()
    return answer


def listening_on():
    """Where the last `start` listens."""
    wrapper = socket.fromfd(int(evwsgi.socket_fd()), socket.AF_INET, socket.SOCK_STREAM)
    try:
        return wrapper.getsockname()
    finally:
        wrapper.close()


class Case(unittest.TestCase):
    """A test with a folder of its own and an eye on file descriptor 1."""

    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def printed_by(self, function, *arguments):
        """What the call returns, and all that reaches file descriptor 1 during it, as text."""
        sys.stdout.flush()
        saved = os.dup(1)
        with tempfile.TemporaryFile() as capture:
            os.dup2(capture.fileno(), 1)
            try:
                answer = function(*arguments)
            finally:
                sys.stdout.flush()
                os.dup2(saved, 1)
                os.close(saved)
            capture.seek(0)
            return answer, capture.read().decode("latin-1")

    def serve_with_threads(self):
        """`serve` in the standard dialect, with four; skips the test where one thread serves."""
        if PYTHON_2:
            self.skipTest("one thread serves")
        address = self.serve("standard")
        base.config.threads = 4
        return address

    def serve(self, dialect="legacy", port="0"):
        """Listen on a free port, or this one, with the stock base module in this dialect."""
        base.config.dialect = dialect
        evwsgi.set_base_module(base)
        self.printed_by(evwsgi.start, "127.0.0.1", port)
        return listening_on()

    def run_with(self, client):
        """Run the server while `client()` runs in a thread; its answer, and what was printed."""
        answers = []

        def work():
            try:
                answers.append(client())
            except Exception:
                traceback.print_exc()
            end_run()

        thread = threading.Thread(target=work)
        thread.start()
        _, text = self.printed_by(evwsgi.run)
        thread.join()
        self.assertEqual(1, len(answers), "the client failed")
        return answers[0], text

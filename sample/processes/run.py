#!/usr/bin/env python
"""Several processes on one port: start, fork, run.

    python run.py [port] [processes]

    curl http://127.0.0.1:8080/

The socket is opened once and all children accept from it, so the kernel gives each connection to a
child that is free. The parent serves nobody: it replaces a child that died, and passes SIGTERM and
Ctrl-C on. Children share nothing; what must be common to them belongs in a database.
"""
import os
import signal
import sys
import time

import fapws._evwsgi as evwsgi
from fapws import base

PAUSE = 1.0  # seconds before a child that died young is replaced


def whoami(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("served by process %d\n" % os.getpid()).encode("ascii")]


class Master(object):
    """The parent: how many children there should be, and which there are."""

    def __init__(self, wanted):
        self.wanted = max(1, wanted)
        self.started = {}  # process id -> time of its start
        self.stopping = False

    def supervise(self):
        """Return in a child, which is to serve. In the parent, never return."""
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        while not self.stopping or self.started:
            while len(self.started) < self.wanted and not self.stopping:
                if self.spawn():
                    return
            self.wait()
        sys.exit(0)

    def spawn(self):
        """Make a child; whether this is it."""
        pid = os.fork()
        if pid == 0:
            self.started.clear()  # these are siblings now
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            if self.stopping:
                sys.exit(0)  # the end came before it began
            return True
        self.started[pid] = time.time()
        if self.stopping:
            os.kill(pid, signal.SIGTERM)  # `stop` came too early to know it
        return False

    def wait(self):
        """Wait for the end of a child."""
        try:
            pid, status = os.wait()
        except OSError:
            return  # a signal came in between (Python 2)
        age = time.time() - self.started.pop(pid)
        if not self.stopping:
            print("process %d ended with status %d" % (pid, status))
            sys.stdout.flush()
            if age < PAUSE:
                time.sleep(PAUSE)

    def stop(self, number, frame):
        """Pass a signal on. Called once for each SIGTERM and SIGINT."""
        self.stopping = True
        for pid in self.started:
            os.kill(pid, number)


def serve(port, processes):
    evwsgi.start("0.0.0.0", port)
    evwsgi.set_base_module(base)
    evwsgi.wsgi_cb(("/", whoami))
    sys.stdout.flush()  # or each child prints again what is still buffered
    Master(processes).supervise()
    evwsgi.run()


if __name__ == "__main__":
    serve(
        sys.argv[1] if len(sys.argv) > 1 else "8080",
        int(sys.argv[2]) if len(sys.argv) > 2 else 4,
    )

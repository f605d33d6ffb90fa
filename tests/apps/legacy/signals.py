"""A program with signal handlers of its own, as deployments have them for reload and rotation.

`/child` starts a process that ends at once, which sends SIGCHLD; `/ask` answers.
"""
import os
import signal
import subprocess
import sys

import fapws._evwsgi as evwsgi
from fapws import base

from channel import listen, report

NUMBERS = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD, signal.SIGALRM]


def on_signal(number, frame):
    """Every handler."""
    report("signal", number=int(number))


def child(environ, start_response):
    """A child process, reaped here."""
    code = subprocess.Popen([sys.executable, "-c", ""]).wait()
    return [str(code).encode("ascii")]


def ask(environ, start_response):
    """A request."""
    return [b"asked"]


def alarm(environ, start_response):
    """SIGALRM in a moment, when the server is idle again."""
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    return [b"set"]


for each in NUMBERS:
    signal.signal(each, on_signal)
listen(evwsgi)
evwsgi.set_base_module(base)
for name in ("child", "ask", "alarm"):
    evwsgi.wsgi_cb(("/" + name, globals()[name]))
evwsgi.run()
report("handlers", kept=[signal.getsignal(each) is on_signal for each in NUMBERS],
       default=signal.getsignal(signal.SIGINT) is signal.default_int_handler
       and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, pid=os.getpid())

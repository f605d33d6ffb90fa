"""sys.stdout and sys.stderr replaced by the program: what the server prints goes to descriptor 1,
what Python prints of an exception to the object that the program put there.
"""
import os
import signal
import sys

import fapws._evwsgi as evwsgi
from fapws import base


class Kept(object):
    """A stream that keeps what it is given."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


def failing():
    """An exception of a timer."""
    raise ValueError("in a timer")


def deferring():
    """An exception of a deferred call."""
    evwsgi.defer(len, None, False)
    return False


def end():
    """The last timer."""
    os.kill(os.getpid(), signal.SIGTERM)


out, err = Kept(), Kept()
kept = [(0.01, failing), (0.03, deferring), (0.2, end)]
evwsgi.set_base_module(base)
sys.stdout, sys.stderr = out, err
evwsgi.start("127.0.0.1", "0")
for timer in kept:
    evwsgi.add_timer(*timer)
print("by the program")
evwsgi.run()
sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
print("kept of stdout: %r" % out.text)
print("kept of stderr: %r" % err.text)

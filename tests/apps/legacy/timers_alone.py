"""Timers of a program that never calls `start`: the second tick sends SIGPIPE, the last the signal
that the parameter names.

A second parameter, `unset`, leaves `set_base_module` out too.
"""
import os
import signal
import sys

import fapws._evwsgi as evwsgi
from fapws import base

from channel import report

number = getattr(signal, sys.argv[1])


def tick():
    """The timer."""
    ticks.append(None)
    report("tick", number=len(ticks))
    if len(ticks) == 2:
        os.kill(os.getpid(), signal.SIGPIPE)
    if len(ticks) == 5:
        os.kill(os.getpid(), number)
        # On a busy machine the next tick may come before the signal is seen.
        return False


ticks = []
if sys.argv[2:] != ["unset"]:
    evwsgi.set_base_module(base)
evwsgi.add_timer(0.02, tick)
report("ready", address=None)
returned = evwsgi.run()
report("returned", answer=repr(returned))

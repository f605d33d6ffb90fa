"""Timers where the original does as it should: answers, order, stop and restart from a callback.

Which timer is due first never depends on how fast the program runs, only on the delays.
"""
import os
import signal

import fapws._evwsgi as evwsgi
from fapws import base

steps = []


def step():
    """Works through what a callback can do to the other timers; repeats whatever it returns."""
    steps.append(len(steps) + 1)
    print("step %d" % steps[-1])
    if steps[-1] == 1:
        print(evwsgi.stop_timer(1))
    elif steps[-1] == 2:
        print(evwsgi.restart_timer(2))
    elif steps[-1] == 3:
        print(evwsgi.restart_timer(50))
    elif steps[-1] == 4:
        print(evwsgi.add_timer(0.001, never))
    elif steps[-1] == 6:
        os.kill(os.getpid(), signal.SIGTERM)
    return (None, 0, True, "", [], {})[len(steps) % 6]


def never():
    """A timer that is too slow for this program, or is not kept."""
    print("never")


def quick():
    """A timer that ends itself before the first step, and is let run again at the second."""
    print("quick")
    return False


def failing():
    """An exception ends the timer, the traceback goes to stderr."""
    print("failing")
    raise ValueError("in a timer")


def once():
    """A delay of 0."""
    print("once")


# Kept in a list of our own: the original borrows its callbacks.
kept = [(0.1, step), (0.15, never), (0.03, quick), (0, once), (0.06, failing), (1, never)]
evwsgi.start("127.0.0.1", "0")
evwsgi.set_base_module(base)
for delay, callback in kept:
    print(evwsgi.add_timer(delay, callback))
for number in range(7):
    print(evwsgi.add_timer(30 + number, never))
print(evwsgi.run())
print("returned")

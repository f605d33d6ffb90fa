"""Timers and deferred calls beside requests, and iterators that take turns.

`/defer/N` defers N calls that report their number; `/combine` defers one call that is combined;
`/timer` adds a timer; `/turns/NAME` answers an iterator that reports each item it is asked for;
`/threads` starts a Python thread that reports; `/tell` reports at once.

Parameter: `forget` has the program keep nothing of its timer's callback.
"""
import sys
import threading
import time

import fapws._evwsgi as evwsgi
from fapws import base

from channel import listen, report


def deferred(number):
    """One deferred call."""
    report("deferred", number=number, left=evwsgi.defer_queue_size())


def defer(environ, start_response):
    """As many calls as the path says."""
    for number in range(int(environ["PATH_INFO"])):
        evwsgi.defer(deferred, number, False)
    return [str(evwsgi.defer_queue_size()).encode("ascii")]


def combine(environ, start_response):
    """The same call, however often it is asked for."""
    for _ in range(3):
        evwsgi.defer(deferred, "combined", True)
    return [str(evwsgi.defer_queue_size()).encode("ascii")]


def timer(environ, start_response):
    """A timer of a running program: in the legacy dialect it never starts."""
    return [str(evwsgi.add_timer(0.01, lambda: report("late timer"))).encode("ascii")]


def turns(environ, start_response):
    """An iterator of many items."""
    def items(name):
        for number in range(200):
            report("item", name=name, number=number)
            yield b"x" * 4096
    return items(environ["PATH_INFO"])


def tell(environ, start_response):
    """A request that is over at once."""
    report("told", name=environ["PATH_INFO"])
    return [b"told"]


def threads(environ, start_response):
    """A thread that makes progress whatever the server does, and ends by itself."""
    def work():
        for number in range(200):
            report("tick", number=number)
            time.sleep(0.001)
    thread = threading.Thread(target=work)
    thread.daemon = True
    thread.start()
    return [b"started"]


def ten_times():
    """A timer of the program's start."""
    ticks = []

    def tick():
        ticks.append(1)
        report("timer", number=len(ticks))
        return len(ticks) < 10
    return tick


listen(evwsgi)
evwsgi.set_base_module(base)
for name in ("defer", "turns", "tell"):
    evwsgi.wsgi_cb(("/" + name + "/", globals()[name]))
for name in ("combine", "timer", "threads"):
    evwsgi.wsgi_cb(("/" + name, globals()[name]))
callback = ten_times()
evwsgi.add_timer(0.01, callback)
if "forget" in sys.argv:
    del callback
evwsgi.run()

"""Deferred calls, from a timer: order, one argument, combining, failures, the queue's size."""
import os
import signal

import fapws._evwsgi as evwsgi
from fapws import base


def show(argument):
    """What is deferred most."""
    print("show %r, %r left" % (argument, evwsgi.defer_queue_size()))


def other(argument):
    """Another function."""
    print("other %r" % (argument,))


def without_parameter():
    """Cannot be called with one argument."""
    print("never")


def failing(argument):
    """An exception; the queue goes on."""
    raise ValueError(argument)


def defers_more(argument):
    """A deferred call that defers others."""
    print(evwsgi.defer(show, "deferred by a deferred call", False))
    print(evwsgi.defer(defers_more_once, "once", True))


def defers_more_once(argument):
    """The queue is not empty while its last call runs."""
    print("last: %r" % evwsgi.defer_queue_size())


def fill():
    """A timer's callback."""
    print(evwsgi.defer_queue_size())
    shared = ["a", 1]
    for function, argument, combine in (
            (show, 1, False), (show, 1, False), (show, 1, True), (show, 2, True), (show, 2, True),
            (other, 2, True), (show, shared, True), (show, ["a", 1], True), (show, 1.0, True),
            (show, None, 1), (show, None, "yes"), (show, None, False),
            (without_parameter, 1, False),
            (failing, "fails", False), (defers_more, None, True), (show, u"unicode", False),
            (evwsgi.parse_query, "a=1", False)):
        print(evwsgi.defer(function, argument, combine))
        print(evwsgi.defer_queue_size())
    return False


def again():
    """Once the queue was empty, it fills as before."""
    print(evwsgi.defer_queue_size())
    print(evwsgi.defer(show, "again", True))
    return False


def end():
    """The last timer."""
    print(evwsgi.defer_queue_size())
    os.kill(os.getpid(), signal.SIGTERM)


# Kept in a list of our own: the original borrows its callbacks.
kept = [(0.01, fill), (0.3, again), (0.6, end)]
evwsgi.start("127.0.0.1", "0")
evwsgi.set_base_module(base)
for timer in kept:
    evwsgi.add_timer(*timer)
evwsgi.run()
print(evwsgi.defer_queue_size())

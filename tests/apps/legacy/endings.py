"""A program that is ended in every way there is, and says how `run` ended.

Parameter: where a request's wish is carried out: in the `callback`, in an `iterator` (before its
second item), in a `timer` or in a `deferred` call.
"""
import os
import signal
import sys

import fapws._evwsgi as evwsgi
from fapws import base

from channel import listen, report

WISHES = {
    "exit": lambda: sys.exit(),
    "exit3": lambda: sys.exit(3),
    "exit_text": lambda: sys.exit("a last word"),
    "keyboard_interrupt": lambda: raise_it(KeyboardInterrupt()),
    "error": lambda: raise_it(ValueError("wished")),
    "sigint": lambda: os.kill(os.getpid(), signal.SIGINT),
    "sigterm": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "nothing": lambda: None,
}
wishes = []


def raise_it(error):
    """`raise`, as an expression."""
    raise error


def carry_out(argument=None):
    """The next wish, if there is one."""
    if wishes:
        WISHES[wishes.pop()]()


def wish(environ, start_response):
    """/wish/NAME."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    wishes.append(environ["PATH_INFO"])
    if sys.argv[1] == "callback":
        carry_out()
    elif sys.argv[1] == "iterator":
        return items()
    elif sys.argv[1] == "deferred":
        evwsgi.defer(carry_out, None, False)
    return [b"wish"]


def items():
    """An iterator that carries it out half-way."""
    yield b"wi"
    carry_out()
    yield b"sh"


def on_signal(number, frame):
    """A handler that ends the program with an exception."""
    raise RuntimeError("from the handler")


signal.signal(signal.SIGUSR1, on_signal)
listen(evwsgi)
evwsgi.set_base_module(base)
evwsgi.wsgi_cb(("/wish/", wish))
if sys.argv[1] == "timer":
    evwsgi.add_timer(0.01, carry_out)
try:
    answer = evwsgi.run()
except BaseException as error:
    report("raised", error=type(error).__name__, text=str(error))
    raise
report("returned", answer=repr(answer))
print("the end")

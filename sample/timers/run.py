#!/usr/bin/env python
"""Functions that the server calls again and again.

    python run.py [port]

    curl http://127.0.0.1:8080/status
    curl http://127.0.0.1:8080/pause
    curl http://127.0.0.1:8080/resume

`evwsgi.add_timer(seconds, function)` calls `function()` every so many seconds once `run` serves.
A function that returns False is not called again. `stop_timer` and `restart_timer` take the timer's
index, which counts from 0: one less than what `add_timer` returned.
"""
import sys

import fapws._evwsgi as evwsgi
from fapws import base

ticks = 0
numbers = [3, 2, 1]


def tick():
    global ticks
    ticks += 1


def count_down():
    """Ends itself when the last number is gone."""
    numbers.pop(0)
    return bool(numbers)


# Timers may be added before the server starts; they begin to count when it runs.
TICKER = evwsgi.add_timer(0.5, tick) - 1
evwsgi.add_timer(0.25, count_down)


def text(start_response, words):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [words.encode("ascii")]


def status(environ, start_response):
    return text(start_response, "ticks: %d\ncountdown: %s\n" % (ticks, numbers or "lift-off"))


def pause(environ, start_response):
    evwsgi.stop_timer(TICKER)
    return text(start_response, "paused\n")


def resume(environ, start_response):
    evwsgi.restart_timer(TICKER)
    return text(start_response, "ticking again\n")


def serve(port):
    evwsgi.start("127.0.0.1", port)
    evwsgi.set_base_module(base)
    evwsgi.wsgi_cb(("/status", status))
    evwsgi.wsgi_cb(("/pause", pause))
    evwsgi.wsgi_cb(("/resume", resume))
    evwsgi.run()


if __name__ == "__main__":
    serve(sys.argv[1] if len(sys.argv) > 1 else "8080")

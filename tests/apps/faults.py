"""Applications that do what they should not, a prefix each; `/count` tells what was closed."""

import json
import sys

closed = {}


class Closing(object):
    """An iterator over `items` that calls those that are callable, and counts its `close`."""

    def __init__(self, name, items):
        self.name = name
        self.items = iter(items)

    def __iter__(self):
        return self

    def __next__(self):
        item = next(self.items)
        return item() if callable(item) else item

    next = __next__

    def close(self):
        """Count."""
        closed[self.name] = closed.get(self.name, 0) + 1


def fail():
    """Raise."""
    raise KeyError("on <purpose>")


def application(answer, headers=()):
    """A callback that answers 200 and what `answer()` gives."""

    def callback(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")] + list(headers))
        return answer()

    return callback


def before(environ, start_response):
    """Raise before start_response is called."""
    fail()


def leave(environ, start_response):
    """End the process, as far as the dialect lets it."""
    sys.exit(7)


def interrupt(environ, start_response):
    """Raise what Control-C raises."""
    raise KeyboardInterrupt


def failing_close():
    """A result whose `close` raises."""

    class Result(Closing):
        def close(self):
            Closing.close(self)
            fail()

    return Result("failing-close", [b"all is well"])


def upload(environ, start_response):
    """The length of the body that arrived."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(len(body)).encode("ascii")]


def count(environ, start_response):
    """How often each kind of result was closed, as JSON."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(closed).encode("ascii")]


def register(evwsgi, base):
    """One prefix each."""
    large = [b"x" * 65536] * 160
    routes = {
        "/before": before,
        "/after": application(fail),
        "/leave": leave,
        "/interrupt": interrupt,
        "/none": application(lambda: None),
        "/number": application(lambda: 42),
        "/mixed": application(lambda: [b"one", 2, None, b"three"]),
        "/first": application(lambda: Closing("first", [fail])),
        "/middle": application(lambda: Closing("middle", [b"begun", fail, b"never"])),
        "/odd-item": application(lambda: Closing("odd-item", [b"begun", object()])),
        "/close": application(failing_close),
        "/large": application(lambda: Closing("large", large)),
        "/list": application(lambda: large),
        "/split": application(lambda: [b""], [("X-Split", "a\r\nEvil: yes")]),
        "/upload": upload,
        "/count": count,
    }
    for prefix in routes:
        evwsgi.wsgi_cb((prefix, routes[prefix]))

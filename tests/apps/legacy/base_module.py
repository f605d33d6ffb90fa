"""A base module that the program changes while it serves: what is looked up at each request.

`/do/NAME` makes a change, `/call` and `/fail` show it.

Parameter: how the classes that replace the stock ones are made, `old` (old-style on Python 2) or
`new`.
"""
import sys

import fapws._evwsgi as evwsgi
from fapws import base

from channel import describe, listen, report, text

NEW = sys.argv[1] == "new"
Stock = base.Environ


class OldStyle:
    """A root of old-style classes on Python 2."""


class Environ(dict):
    """An environ of its own; what it is given it keeps by method."""

    def __init__(self):
        dict.__init__(self)
        self["calls"] = []

    def update_headers(self, data):
        self["calls"].append("update_headers")
        self["method"] = data["REQUEST_METHOD"]

    def update_uri(self, data):
        self["calls"].append("update_uri")
        self["PATH_INFO"] = "changed:" + data["PATH_INFO"]

    def update_from_request(self, data):
        self["calls"].append("update_from_request")
        self["keys"] = sorted(data)


class Pieces(object if NEW else OldStyle):
    """A wsgi.input that keeps what is written to it."""

    def __init__(self):
        self.calls = []

    def write(self, data):
        self.calls.append(["write", describe(bytes(data))])

    def seek(self, position):
        self.calls.append(["seek", describe(position)])


class PiecesEnviron(base.Environ):
    """The stock environ with a wsgi.input of its own."""

    def update_headers(self, data):
        Stock.update_headers(self, data)
        self["wsgi.input"] = Pieces()


class UpdateFails(base.Environ):
    """An environ whose method raises."""

    def update_uri(self, data):
        raise RuntimeError("update_uri failed")


class InitFails(base.Environ):
    """An environ that cannot be made."""

    def __init__(self):
        raise RuntimeError("no environ")


class StartResponse(object if NEW else OldStyle):
    """A start_response of its own."""

    def __init__(self):
        self.response_headers = {}
        self.status = "210 Own"

    def __call__(self, status, headers, exc_info=None):
        self.status = status
        self.response_headers.update(headers)

    def __str__(self):
        return "HTTP/1.0 %s\r\nX-Keys: %s\r\n\r\n" % (
            self.status, ",".join(sorted(self.response_headers)))


class Subclass(base.Start_response):
    """The stock one with a header more."""

    def __str__(self):
        self.response_headers["X-Subclass"] = "yes"
        return base_start_response.__str__(self)


class StartResponseFails(object if NEW else OldStyle):
    """A start_response that cannot be made."""

    def __init__(self):
        raise RuntimeError("no start_response")


class Errors(object if NEW else OldStyle):
    """What the program's own redirectStdErr puts in the place of sys.stderr."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def getvalue(self):
        return "own errors: " + self.text

    def flush(self):
        pass


def redirect():
    """The program's own redirectStdErr. The original calls it with the exception still set."""
    sys.stderr = Errors()


base_start_response = base.Start_response
CHANGES = {
    "environ": lambda: setattr(base, "Environ", Environ),
    "pieces": lambda: setattr(base, "Environ", PiecesEnviron),
    "update_fails": lambda: setattr(base, "Environ", UpdateFails),
    "init_fails": lambda: setattr(base, "Environ", InitFails),
    "start_response": lambda: setattr(base, "Start_response", StartResponse),
    "subclass": lambda: setattr(base, "Start_response", Subclass),
    "start_response_fails": lambda: setattr(base, "Start_response", StartResponseFails),
    "brew": lambda: base.supported_HTTP_command.append("BREW"),
    "no_options": lambda: base.supported_HTTP_command.remove("OPTIONS"),
    "another_list": lambda: setattr(base, "supported_HTTP_command", ["GET", "LIST"]),
    "short": lambda: setattr(base.config, "send_traceback_to_browser", False),
    "other_short": lambda: setattr(base.config, "send_traceback_short", "another text"),
    "long": lambda: setattr(base.config, "send_traceback_to_browser", True),
    "redirect": lambda: setattr(base, "redirectStdErr", redirect),
    "nothing": lambda: None,
}


def do(environ, start_response):
    """Make a change; from the next request on it shows."""
    CHANGES[environ["PATH_INFO"]]()
    return [b"done"]


def call(environ, start_response):
    """Reports its environ."""
    report("call", environ=sorted((text(key), describe(value)) for key, value in environ.items()),
           input=getattr(environ.get("wsgi.input"), "calls", None),
           kind_of_environ=type(environ).__name__, kind_of_start=start_response.__class__.__name__)
    start_response("200 OK", [("X-Called", "yes")])
    return [b"called"]


def fail(environ, start_response):
    """Raises; sys.stderr as it is found goes to the record."""
    report("stderr", is_own=sys.stderr is sys.__stderr__)
    raise ValueError("failed")


def stderr(environ, start_response):
    """What sys.stderr is now."""
    report("stderr", is_own=sys.stderr is sys.__stderr__)
    return [b""]


base.config.send_traceback_to_browser = True
listen(evwsgi)
evwsgi.set_base_module(base)
for name in ("call", "fail", "stderr"):
    evwsgi.wsgi_cb(("/" + name, globals()[name]))
evwsgi.wsgi_cb(("/do/", do))
evwsgi.run()

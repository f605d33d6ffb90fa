"""An application that reports every request it is asked, and answers in every way there is.

The differential test runs it twice: over the original and over ours.
Invariant: nothing here knows which server it runs on.

Parameter: the base module's kind.
  stock   base as it is
  own     Environ and Start_response are subclasses put into base after set_base_module; TRACE and
          PUT are supported; multipart bodies go to a MultipartFormData; a generic callback answers
  other   the base module is an object of our own, with classes that inherit nothing of the package
Two more may follow, a host and a port for `start`. The variable CONFIG holds attributes of
`fapws.config`, as JSON.
"""
import json
import os
import sys

import fapws._evwsgi as evwsgi
from fapws import base
from fapws.contrib.multipart import MultipartFormData

from answers import ANSWERS
from channel import describe, flush, listen, report, text

IDENT = "reporter/0.11"
# The original sends the text of a head that it has given back; so that it is still there.
last_head = ""
StockEnviron, StockStartResponse = base.Environ, base.Start_response

def seen(environ):
    """Every key of an environ with its type and content, its input read to the end."""
    found = sorted((text(key), describe(value)) for key, value in environ.items())
    stream = environ["wsgi.input"]
    content = describe(stream.read() if hasattr(stream, "read") else stream.getvalue())
    return {"type": type(environ).__name__, "environ": found, "input": content,
            "input_calls": getattr(stream, "calls", None), "order": [text(key) for key in environ]}


def recorded(function):
    """The application, with a record of each call made of it."""
    def call(environ, start_response):
        report("call", **seen(environ))
        return function(environ, start_response)
    return call


def echo(environ, start_response):
    """A short answer; the record is what matters."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"echo:", environ["PATH_INFO"].encode("latin-1")
            if not isinstance(environ["PATH_INFO"], bytes) else environ["PATH_INFO"]]


def generic(environ, start_response):
    """The fallback of the `own` kind."""
    start_response("200 OK", [("X-Generic", "yes")])
    return [b"generic"]


def by_name(environ, start_response):
    """/answer/NAME."""
    return ANSWERS[environ["PATH_INFO"]](environ, start_response)


def settle(environ, start_response):
    """Everything before this request is done: put it where the test reads, undo what it left."""
    flush()
    sys.stderr = sys.__stderr__
    return []


def leave(environ, start_response):
    """sys.exit with the number in the query."""
    report("call", **seen(environ))
    number = int(environ["QUERY_STRING"] or 0)
    sys.exit(number)


class OwnEnviron(StockEnviron):
    """Reports what each update brings; gives multipart bodies their parser."""

    def update_headers(self, data):
        self.reported = data["fapws.uri"] != "/settle"
        self.report("update_headers", data)
        StockEnviron.update_headers(self, data)
        if data.get("HTTP_CONTENT_TYPE", "").startswith("multipart/form-data"):
            self["wsgi.input"] = MultipartFormData("./")

    def update_uri(self, data):
        self.report("update_uri", data)
        StockEnviron.update_uri(self, data)

    def update_from_request(self, data):
        self.report("update_from_request", data)
        StockEnviron.update_from_request(self, data)

    def report(self, method, data):
        """One update of a request that is part of a case."""
        if self.reported:
            report(method, data=describe(data))


class OwnStartResponse(StockStartResponse):
    """Another default status, and a head in an order of its own."""

    def __init__(self):
        StockStartResponse.__init__(self)
        self.status_code = 299
        self.status_reasons = "Mine"

    def __str__(self):
        global last_head
        lines = ["HTTP/1.0 %s %s" % (self.status_code, self.status_reasons)]
        lines += sorted("%s=%s" % (key, value) for key, value in self.response_headers.items()
                        if key != "Date")
        last_head = "\r\n".join(lines) + "\r\n\r\n"
        return last_head


class OtherInput:
    """The least that wsgi.input has to be: write and seek."""

    def __init__(self):
        self.content = ""
        self.calls = []

    def write(self, data):
        self.content += str(data)
        self.calls.append(["write", describe(data)[0]])

    def seek(self, position):
        self.calls.append(["seek", describe(position)])

    def getvalue(self):
        return self.content


class OtherEnviron(dict):
    """An environ that inherits nothing of the package, and keeps who gave what."""

    def __init__(self):
        dict.__init__(self)
        self["wsgi.input"] = OtherInput()

    def update_headers(self, data):
        self["given"] = [sorted(data)]
        self.update(data)

    def update_uri(self, data):
        self["given"].append(sorted(data))
        self.update(data)

    def update_from_request(self, data):
        self["given"].append(sorted(data))
        self.update(data)


class OtherStartResponse:
    """A start_response that is no WSGI one."""

    def __init__(self):
        self.response_headers = {}
        self.called = None

    def __call__(self, status, headers):
        self.called = (status, headers)

    def __str__(self):
        global last_head
        last_head = "HTTP/1.0 %s\r\nX-Keys: %s\r\n\r\n" % (
            self.called and self.called[0] or "200 Other", ",".join(sorted(self.response_headers)))
        return last_head


class OtherBase(object):
    """A base module that is no module."""

    class config:
        SERVER_IDENT = "other/1.0"
        date_format = "%Y"
        send_traceback_to_browser = False
        send_traceback_short = "short, by the config"

    Environ = OtherEnviron
    Start_response = OtherStartResponse
    supported_HTTP_command = ["GET", "POST", "OPTIONS", "PURGE"]
    redirectStdErr = staticmethod(base.redirectStdErr)
    sys = sys


def main(kind, host="127.0.0.1", port="0"):
    """Register and serve."""
    for name, value in json.loads(os.environ.get("CONFIG", "{}")).items():
        setattr(base.config, name, value)
    base.config.send_traceback_to_browser = True  # the original's default
    base.config.SERVER_IDENT = IDENT
    listen(evwsgi, host, port)
    # The original borrows both.
    kept = {"base": OtherBase() if kind == "other" else base, "generic": recorded(generic)}
    evwsgi.set_base_module(kept["base"])
    if kind == "own":
        base.Environ = OwnEnviron
        base.Start_response = OwnStartResponse
        base.supported_HTTP_command.extend(["TRACE", "PUT"])
        evwsgi.wsgi_gen_cb(kept["generic"])
    evwsgi.wsgi_cb(("/settle", settle))
    evwsgi.wsgi_cb(("/leave", leave))
    evwsgi.wsgi_cb(("/echo", recorded(echo)))
    evwsgi.wsgi_cb(("/ech", recorded(generic)))
    evwsgi.wsgi_cb(("/que?stion", recorded(echo)))
    evwsgi.wsgi_cb(("/same", recorded(echo)))
    evwsgi.wsgi_cb(("/same", recorded(generic)))
    evwsgi.wsgi_cb(("/answer/", recorded(by_name)))
    evwsgi.run()
    report("returned")


if __name__ == "__main__":
    main(*sys.argv[1:])

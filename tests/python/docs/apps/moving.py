"""What docs/migration.md tells about, one application a claim, for every Python and dialect."""

import json
import os
import sys
import tempfile

from fapws.contrib import views

TEXT = b"caf\xc3\xa9".decode("utf-8")


def register(evwsgi, base):
    """Each function below is served under its name; `/` is the last prefix."""

    def say(line):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def head(start_response, *headers):
        start_response("200 OK", [("Content-Type", "text/plain")] + list(headers))

    def reaches_stderr(errors):
        class Stream(object):
            written = []
            write = written.append

            def flush(self):
                pass

        real, sys.stderr = sys.stderr, Stream()
        try:
            errors.write("a word")
        finally:
            sys.stderr = real
        return Stream.written == ["a word"]

    def environ(environ, start_response):
        head(start_response)
        kinds = (str, int, bool, dict)
        shown = {k: v for k, v in environ.items() if isinstance(v, kinds)}
        shown["errors is stderr"] = reaches_stderr(environ["wsgi.errors"])
        shown["input"] = environ["wsgi.input"].read().decode("latin-1")
        return [json.dumps(shown).encode("ascii")]

    def getvalue(environ, start_response):
        head(start_response)
        return [environ["wsgi.input"].getvalue()]

    def silent(environ, start_response):
        return [b"no start_response"]

    def number_in_head(environ, start_response):
        head(start_response, ("X-Number", 1))
        return [b"x"]

    def bytes_in_head(environ, start_response):
        head(start_response, ("X-Bytes", b"1"))
        return [b"x"]

    def twice(environ, start_response):
        head(start_response, ("X-Twice", "1"), ("X-Twice", "2"))
        return [b"x"]

    def hop(environ, start_response):
        head(start_response, ("Connection", "close"))
        return [b"x"]

    def mixed(environ, start_response):
        head(start_response)
        return [b"a", 1, b"b"]

    def unicode_text(environ, start_response):
        head(start_response)
        return [TEXT]

    def none(environ, start_response):
        head(start_response)

    def raises(environ, start_response):
        raise RuntimeError("told to")

    def leave(environ, start_response):
        sys.exit(0)

    def timers(environ, start_response):
        for _ in range(20):
            count = evwsgi.add_timer(0, lambda: say("tick"))
        head(start_response)
        return [str(count).encode("ascii")]

    def attributes(environ, start_response):
        start_response.add_header("X-Before", "1")
        start_response("201 Made", [("Content-Type", "text/plain")])
        start_response.set_cookie("taste", "sweet")
        start_response.response_headers["X-After"] = "2"
        status = "%s %s" % (start_response.status_code, start_response.status_reasons)
        return [status.encode("ascii")]

    def deferred(environ, start_response):
        evwsgi.defer(say, "deferred call", True)
        evwsgi.defer(say, "deferred call", True)
        head(start_response)
        return [str(evwsgi.defer_queue_size()).encode("ascii")]

    def generator(environ, start_response):
        head(start_response, ("X-Late", "1"))
        yield b"one "
        yield b"two"

    def opened(environ, start_response):
        head(start_response)
        stored = tempfile.TemporaryFile()
        stored.write(b"skipped sent")
        stored.flush()
        stored.seek(len(b"skipped "))
        return stored

    def wrapped(environ, start_response):
        return environ["wsgi.file_wrapper"](opened(environ, start_response))

    def process(environ, start_response):
        head(start_response)
        return [str(os.getpid()).encode("ascii")]

    for application in (
        getvalue,
        silent,
        number_in_head,
        bytes_in_head,
        twice,
        hop,
        mixed,
        unicode_text,
        none,
        raises,
        leave,
        timers,
        attributes,
        deferred,
        generator,
        opened,
        wrapped,
        process,
        environ,
    ):
        evwsgi.wsgi_cb(("/" + application.__name__, application))
    evwsgi.wsgi_cb(("/files/", views.Staticfile(os.path.dirname(os.path.abspath(__file__)) + "/")))
    if os.environ.get("ROOT"):
        evwsgi.wsgi_cb(("/", environ))

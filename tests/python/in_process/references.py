"""References that Python code pulls away while the core looks at them: each must be its own.

A block that is freed is the next one of its size that the allocator hands out, so a reference that
was only borrowed leads to another object, which these tests recognise.
"""

import gc
import signal
import weakref

from case import Case, ask, evwsgi, main


class Answering(Case):
    """Asks a server in this process once, of an application."""

    def response_to(self, application, field=None, dialect="standard"):
        """What the client reads behind the head, or the values of one header field."""
        address = self.serve(dialect)
        evwsgi.wsgi_gen_cb(application)
        request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        response, _ = self.run_with(lambda: ask(address, request))
        head, _, body = response.partition(b"\r\n\r\n")
        if field is None:
            return body
        lines = [line.partition(b": ") for line in head.split(b"\r\n")]
        return [value for name, _, value in lines if name == field]


class Reader(object):
    """Reads `content`, once."""

    __slots__ = ("content",)

    def __init__(self, content):
        self.content = content

    def read(self, size):
        content, self.content = self.content, b""
        return content


class Arguments(Answering):
    """Keyword arguments, which on Python 2 come in the caller's own dict."""

    def test_file_wrapper_keeps_the_file_that_it_was_given(self):
        others = []

        class Size(object):
            """A block size that empties the call's arguments when it is read."""

            def __int__(self):
                given.clear()
                others.append(Reader(b"another"))
                return 8192

            __index__ = __int__

        given = {"filelike": Reader(b"given"), "block_size": Size()}

        def application(environ, start_response):
            start_response("200 OK", [("Content-Length", "5")])
            return environ["wsgi.file_wrapper"](**given)

        self.assertEqual(b"given", self.response_to(application))

    def test_start_response_keeps_the_headers_that_it_was_given(self):
        others = []

        def headers(mark):
            yield ("X-Mark", mark)
            given.clear()
            others.append(headers("another"))
            yield ("X-Mark", mark)

        given = {"status": "200 OK", "response_headers": headers("given")}

        def application(environ, start_response):
            start_response(**given)
            return [b"body"]

        self.assertEqual([b"given", b"given"], self.response_to(application, b"X-Mark"))


class Cycles(Answering):
    """What the collector must see, and what must end with its request."""

    def wrappers(self, make):
        """Serves one request, in which `make(file_wrapper, start_response)` runs."""

        def application(environ, start_response):
            make(environ["wsgi.file_wrapper"], start_response)
            return [b"x"]

        self.assertEqual(b"x", self.response_to(application))

    def test_a_file_that_knows_its_wrapper_is_collected(self):
        seen = []

        class File(object):
            """A file with attributes."""

            def read(self, size):
                return b""

        def make(file_wrapper, start_response):
            start_response("200 OK", [("Content-Length", "1")])
            opened = File()
            opened.wrapper = file_wrapper(opened)
            seen.append(weakref.ref(opened))

        self.wrappers(make)
        gc.collect()
        self.assertIsNone(seen[0]())

    def test_a_header_value_ends_with_its_request(self):
        seen = []

        class Value(str):
            """A string with attributes."""

        class Mark(object):
            """Lives as long as the value that has it."""

        def make(file_wrapper, start_response):
            value = Value("v")
            value.start_response, value.mark = start_response, Mark()
            seen.append(weakref.ref(value.mark))
            start_response("200 OK", [("Content-Length", "1"), ("X-Value", value)])

        self.wrappers(make)
        gc.collect()
        self.assertIsNone(seen[0]())

    def test_wrappers_in_wrappers_need_no_stack(self):
        def make(file_wrapper, start_response):
            start_response("200 OK", [("Content-Length", "1")])
            nested = file_wrapper(None)
            for _ in range(1000000):
                nested = file_wrapper(nested)

        self.wrappers(make)

    def test_a_signal_handler_that_knows_the_servers(self):
        """The server's knows the one that was in force before, too."""

        class Handler(object):
            def __call__(self, *_):
                pass

        self.serve("standard")
        handlers = [Handler()]
        known = weakref.ref(handlers[0])
        signal.signal(signal.SIGTERM, handlers[0])

        def ready():
            handlers.pop().seen = signal.getsignal(signal.SIGTERM)
            evwsgi.stop()

        evwsgi.on_ready(ready)
        self.printed_by(evwsgi.run)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        evwsgi.on_ready(None)
        gc.collect()
        self.assertIsNone(known())


if __name__ == "__main__":
    main()

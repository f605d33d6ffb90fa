"""A child that the program forks before its application is called: it calls and sends nothing."""

import os
import sys

from case import Case, ask, base, evwsgi, main

CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Forked(Case):
    def calls_after(self, dialect, patch):
        """How often the application was called for one request, in all processes."""
        calls = os.path.join(self.folder, "calls")
        address = self.serve(dialect)
        children = []

        def fork():
            if not children:
                children.append(os.fork())

        patch(fork)

        def application(environ, start_response):
            with open(calls, "a") as out:
                out.write("call\n")
            start_response("200 OK", [])
            return [b"x"]

        evwsgi.wsgi_cb(("/", application))

        def client():
            answer = ask(address, CLOSE)
            os.waitpid(children[0], 0)
            return answer

        answer, _ = self.run_with(client)
        self.assertEqual(1, answer.count(b"HTTP/1."), answer)
        with open(calls) as found:
            self.assertEqual(["call\n"], found.readlines())

    def in_environ(self, fork):
        stock = base.Environ

        class Environ(stock):
            def update_from_request(self, data):
                fork()
                stock.update_from_request(self, data)

        base.Environ = Environ

    def in_start_response(self, fork):
        stock = base.Start_response

        class StartResponse(stock):
            def __init__(self):
                stock.__init__(self)
                fork()

        base.Start_response = StartResponse

    def test_in_an_environ_legacy(self):
        self.calls_after("legacy", self.in_environ)

    def test_in_an_environ_standard(self):
        self.calls_after("standard", self.in_environ)

    def test_in_a_start_response_legacy(self):
        self.calls_after("legacy", self.in_start_response)

    def test_in_a_start_response_standard(self):
        self.calls_after("standard", self.in_start_response)

    def test_in_the_data_of_write(self):
        """A codec, or a buffer: what makes bytes of what `write` is given."""
        address = self.serve("standard")
        children = []

        class Text(type(b"".decode("ascii"))):
            def encode(self, *_):
                children.append(os.fork())
                return b"y"

        class Buffer(bytearray):
            def __buffer__(self, flags):
                children.append(os.fork())
                return memoryview(b"y")

        if sys.version_info[0] == 2:
            data = Text(b"y".decode("ascii"))
        elif sys.version_info >= (3, 12):
            data = Buffer(b"y")
        else:
            self.skipTest("nothing of Python's runs there")

        def application(environ, start_response):
            start_response("200 OK", [("Content-Length", "1")])(data)
            return []

        evwsgi.wsgi_cb(("/", application))

        def client():
            answer = ask(address, CLOSE)
            for child in children:
                os.waitpid(child, 0)
            return answer

        answer, _ = self.run_with(client)
        self.assertTrue(answer.endswith(b"\r\n\r\ny"), answer)
        self.assertTrue(children)
        self.assertEqual(1, answer.count(b"HTTP/1."))


if __name__ == "__main__":
    main()

"""Descriptors that the program closes by mistake while a thread of the server has them in hand, and
whose numbers are others' by then: these are left alone."""

import os
import socket
import tempfile
import threading

from case import Case, ask, evwsgi, main

GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


class Robbed(Case):
    def test_a_client_that_gets_the_number_of_a_call_in_flight(self):
        """The response of that call is nobody's."""
        address = self.serve_with_threads()
        closed, go = threading.Event(), threading.Event()
        numbers = []

        def application(environ, start_response):
            number = int(environ["fapws.socket_fd"])
            if environ["PATH_INFO"] == "/mistake":
                start_response("200 OK", [])
                numbers.append(number)
                os.close(number)
                closed.set()
                go.wait(60)
                return [b"secret"]
            start_response("200 OK", [])
            numbers.append(number)
            return [b"next"]

        evwsgi.wsgi_cb(("/", application))

        def client():
            # The kernel gives the lowest number that is free: the client's sockets are made before.
            robbed, other = socket.socket(), socket.socket()
            robbed.connect(address)
            robbed.sendall(GET % b"/mistake")
            self.assertTrue(closed.wait(60))
            other.settimeout(60)
            other.connect(address)
            other.sendall(GET % b"/")
            first = other.recv(65536)
            go.set()
            other.sendall(GET % b"/")
            rest = b""
            while rest.count(b"next") < 1 and b"secret" not in rest:
                data = other.recv(65536)
                if not data:
                    break
                rest += data
            robbed.close()
            other.close()
            return first + rest

        seen, _ = self.run_with(client)
        self.assertEqual(numbers[0], numbers[1], "the number came back")
        self.assertEqual((2, 0), (seen.count(b"next"), seen.count(b"secret")), seen)

    def file_of_number(self, number):
        """A file of the program's that has this number by now."""
        opened = tempfile.TemporaryFile(dir=self.folder)
        os.dup2(opened.fileno(), number)
        opened.close()

    def assertOpen(self, number):
        self.assertEqual(1, os.write(number, b"x"))

    def test_a_file_that_gets_the_number_of_a_connection(self):
        address = self.serve("standard")
        numbers = []

        def application(environ, start_response):
            start_response("200 OK", [])
            if environ["PATH_INFO"] == "/mistake":
                numbers.append(int(environ["fapws.socket_fd"]))
                self.file_of_number(numbers[0])
            return [b"x"]

        evwsgi.wsgi_cb(("/", application))

        def client():
            robbed = socket.create_connection(address)
            robbed.sendall(GET % b"/mistake")
            for _ in range(3):
                ask(address, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            robbed.close()

        self.run_with(client)
        self.assertOpen(numbers[0])

    def test_a_file_that_gets_the_number_between_the_head_and_the_file(self):
        """What `sendfile` would write to is no socket any more."""
        address = self.serve("standard")
        got_head = threading.Event()
        content = os.path.join(self.folder, "content")
        precious = os.path.join(self.folder, "precious")
        for path, text in [(content, b"x" * 300000), (precious, b"precious")]:
            with open(path, "wb") as opened:
                opened.write(text)

        def application(environ, start_response):
            write = start_response("200 OK", [("Content-Length", "300001")])
            write(b"1")
            self.assertTrue(got_head.wait(60))
            with open(precious, "r+b") as opened:
                os.dup2(opened.fileno(), int(environ["fapws.socket_fd"]))
            return environ["wsgi.file_wrapper"](open(content, "rb"))

        evwsgi.wsgi_cb(("/", application))

        def client():
            robbed = socket.create_connection(address)
            robbed.settimeout(60)
            robbed.sendall(GET % b"/")
            read = robbed.recv(65536)
            while not read.endswith(b"\r\n\r\n1"):
                read += robbed.recv(65536)
            got_head.set()
            self.assertEqual(b"", robbed.recv(65536))
            robbed.close()

        self.run_with(client)
        with open(precious, "rb") as opened:
            self.assertEqual(b"precious", opened.read())

    def test_a_file_that_gets_the_number_of_a_listener(self):
        """The end of the run does not close it."""
        address = self.serve("standard")
        number = int(evwsgi.socket_fd())

        def application(environ, start_response):
            start_response("200 OK", [])
            self.file_of_number(number)
            return [b"x"]

        evwsgi.wsgi_cb(("/", application))
        self.run_with(
            lambda: ask(address, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        )
        self.assertOpen(number)


if __name__ == "__main__":
    main()

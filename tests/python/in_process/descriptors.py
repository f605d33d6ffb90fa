"""Listening sockets whose descriptors the program closed, passed twice or has again."""

import os
import socket

from case import Case, ask, base, evwsgi, listening_on, main


def hello(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]


class Descriptors(Case):
    def setUp(self):
        Case.setUp(self)
        evwsgi.set_base_module(base)
        evwsgi.wsgi_gen_cb(hello)

    def listening(self):
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        return listener

    def descriptor(self):
        """One of a socket that listens, and of nobody else."""
        listener = self.listening()
        number = os.dup(listener.fileno())
        listener.close()
        return number

    def test_a_descriptor_has_one_owner(self):
        number = self.descriptor()
        evwsgi.start_fd(number)
        with self.assertRaises(evwsgi.error) as caught:
            evwsgi.start_fd(number)
        self.assertEqual(
            "start_fd: descriptor %d is served already" % number, str(caught.exception)
        )

    def test_one_that_was_closed_can_be_another_listener(self):
        number = self.descriptor()
        evwsgi.start_fd(number)
        os.close(number)
        other = self.listening()
        os.dup2(other.fileno(), number)
        evwsgi.start_fd(number)
        answer, _ = self.run_with(lambda: ask(other.getsockname()))
        self.assertTrue(answer.endswith(b"\r\n\r\nhello"), answer)

    def assertRunSays(self, number):
        with self.assertRaises(evwsgi.error) as caught:
            self.printed_by(evwsgi.run)
        said = "the program closed descriptor %d, a listening socket" % number
        self.assertEqual(said, str(caught.exception))

    def test_a_socket_that_was_collected(self):
        """Its number is that of the event loop by then."""
        address = self.serve()
        listener = self.listening()
        number = listener.fileno()
        evwsgi.start_fd(number)
        listener.close()
        self.assertRunSays(number)
        answer, _ = self.run_with(lambda: ask(address))
        self.assertTrue(answer.endswith(b"\r\n\r\nhello"), answer)

    def test_every_descriptor_is_closed_before_run(self):
        self.serve()
        first = int(evwsgi.socket_fd())
        self.serve()
        os.closerange(3, 256)
        self.assertRunSays(first)

    def test_an_address_is_one_listener_in_every_run(self):
        self.serve()
        port = str(listening_on()[1])
        for _ in range(4):
            answer, _ = self.run_with(lambda: ask(listening_on()))
            self.assertTrue(answer.endswith(b"\r\n\r\nhello"), answer)
            self.printed_by(evwsgi.start, "127.0.0.1", port)
            self.assertEqual(port, str(listening_on()[1]))


if __name__ == "__main__":
    main()

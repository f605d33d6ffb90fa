"""The support code's own tests: a client that accepts what is not HTTP would hide faults."""

import socket
import threading

import pytest
from support import interpreters
from support.client import Client, ProtocolError, parse_head


@pytest.fixture
def answer_with():
    """A function that serves given bytes to one connection; returns a `Client` connected to it."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads = []

    def serve(data):
        connection, _ = listener.accept()
        with connection:
            connection.sendall(data)

    def start(data):
        threads.append(threading.Thread(target=serve, args=[data]))
        threads[-1].start()
        return Client(listener.getsockname())

    yield start
    for thread in threads:
        thread.join()
    listener.close()


def test_a_body_of_each_framing_is_read_to_its_end(answer_with):
    client = answer_with(
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n"
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"
        b"HTTP/1.0 200 OK\r\n\r\nto the end"
    )
    answers = [client.response() for _ in range(5)]
    assert [each.body for each in answers] == [b"", b"abc", b"def", b"", b"to the end"]
    assert answers[2].chunks == [b"de", b"f"]
    assert client.at_end()
    client.close()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"Hello\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
    ],
)
def test_what_is_no_http_is_refused(answer_with, data):
    with answer_with(data) as client, pytest.raises(ProtocolError):
        client.response()


def test_headers_keep_their_order_and_repetitions():
    head = b"HTTP/1.1 200 Very OK\r\nSet-Cookie: a=1\r\nX:\r\nSet-Cookie: b=2\r\n\r\n"
    version, status, reason, headers = parse_head(head)
    assert (version, status, reason) == ("HTTP/1.1", 200, "Very OK")
    assert headers == [("Set-Cookie", "a=1"), ("X", ""), ("Set-Cookie", "b=2")]


def test_interpreters_are_one_a_version_and_in_order():
    versions = [each.version[:2] for each in interpreters.found()]
    assert versions == sorted(set(versions))


def test_an_executable_that_is_no_python_is_no_interpreter():
    assert interpreters.probe("/bin/false") is None
    assert interpreters.probe("/does/not/exist") is None

"""A server that has little memory left (RLIMIT_AS): a request may fail, the server goes on.

What is counted here are the server's own allocations, which peers and applications size;
test_memory.py fails Python's.
"""

import contextlib

import pytest
from standard.message import request

#: More than the server may have.
LARGE = 200 << 20


@pytest.fixture
def limited(serve_probe, dialect):
    """Ends with a request that is served."""
    server = serve_probe("sized.py", dialect=dialect, config={"write_timeout": 60})
    yield server
    with server.connect() as client:
        client.send(request("/", headers=[("Connection", "close")]))
        assert client.read_to_end().endswith(b"hello")


def received(client):
    """How many bytes come to the end, and whether they begin as a response."""
    count, first = 0, b""
    with contextlib.suppress(OSError):
        while data := client.socket.recv(1 << 20):
            first = first or data
            count += len(data)
    return count, first[:9]


@pytest.mark.parametrize("target", ["/items", "/blocks", "/write"])
def test_a_long_response_of_short_pieces_needs_no_memory(limited, dialect, target):
    if target == "/write" and dialect == "legacy":
        pytest.skip("the legacy dialect has no write()")
    with limited.connect() as client:
        client.send(request(f"{target}?{LARGE}", headers=[("Connection", "close")]))
        count, _ = received(client)
    assert count >= LARGE // 4000 * 4000, limited.stderr


@pytest.mark.parametrize("target", ["/item", "/header", "/status", "/failure", "/query"])
@pytest.mark.parametrize("size", [1 << 20, 40 << 20, LARGE])
def test_what_an_application_sizes(limited, target, size):
    with limited.connect() as client:
        client.send(request(f"{target}?{size}", headers=[("Connection", "close")]))
        count, first = received(client)
    assert count == 0 or first.startswith(b"HTTP/1."), first


@pytest.mark.parametrize("megabytes", [LARGE >> 20, pytest.param(500, marks=pytest.mark.slow)])
def test_a_long_body(limited, megabytes):
    """It is in a file: the application reads it to its end, in both dialects."""
    with limited.connect() as client:
        head = b"POST /post HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        client.send(head % (megabytes << 20))
        piece = b"x" * (1 << 20)
        for _ in range(megabytes):
            client.send(piece)
        assert client.read_to_end().endswith(b"\r\n\r\n%d" % (megabytes << 20)), limited.stderr


def test_many_bodies_at_once(limited):
    head = b"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 120001\r\n\r\n"
    clients = []
    try:
        for _ in range(900):
            client = limited.connect()
            clients.append(client)
            client.socket.setblocking(False)
            with contextlib.suppress(OSError):
                client.send(head + b"x" * 120000)
    finally:
        for client in clients:
            client.close()

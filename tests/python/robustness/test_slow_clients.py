"""Many slow clients at once: others do not notice, and each slow one is gone at its deadline."""

import select
import socket
import time

import pytest
from support.process import wait_until
from standard.message import request, respond


def connect_many(probe, count):
    clients = []
    for _ in range(count):
        client = socket.create_connection(probe.address, timeout=60)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        clients.append(client)
    return clients


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_slowloris(serve_newest, dialect, count):
    """A byte a round from each, heads that never end; good clients are served in between."""
    probe = serve_newest("probe.py", config={"header_timeout": 1}, dialect=dialect)
    probe.request(request("/"))
    before = probe.descriptors
    clients = connect_many(probe, count)
    began = time.monotonic()
    rejected_after = []
    for byte in request("/", headers=[("X-Slow", "y" * 1000)]):
        for client in clients:
            client.send(bytes([byte]))
        for client in select.select(clients, [], [], 0)[0]:
            assert client.recv(65536).split()[1] == b"408"
            rejected_after.append(time.monotonic() - began)
            clients.remove(client)
            client.close()
        assert probe.request(request("/", version="HTTP/1.0")).body == b"hello"
        if not clients:
            break
        time.sleep(0.2)
    assert len(rejected_after) == count
    assert min(rejected_after) >= 1
    wait_until(lambda: probe.descriptors <= before, "the slow clients to be let go")


@pytest.mark.long(62)
def test_one_that_goes_on_when_it_is_rejected(serve_newest):
    """It is never silent for long enough to be let go: it has a minute in all."""
    probe = serve_newest("probe.py", config={"header_timeout": 1})
    probe.request(request("/"))
    before = probe.descriptors
    (client,) = connect_many(probe, 1)
    for byte in request("/", headers=[("X-Slow", "y" * 1000)]):
        try:
            client.send(bytes([byte]))
        except OSError:
            break
        time.sleep(0.2)
    wait_until(lambda: probe.descriptors <= before, "the slow client to be let go")
    client.close()


def test_slow_readers(serve_newest, name):
    """Fifty clients that read nothing of an endless answer, and are gone in the end."""
    probe = serve_newest("probe.py", config={"write_timeout": 1})
    probe.request(request("/"))
    before = probe.descriptors
    target = respond(shape="closing", items=[["x", 100_000]], times=1000, name=name)
    clients = connect_many(probe, 50)
    for client in clients:
        client.sendall(request(target))
    for _ in range(20):
        assert probe.request(request("/")).body == b"hello"
    events = probe.eventually(name, lambda events: events.count("close") == 50)
    assert "end" not in events
    wait_until(lambda: probe.descriptors <= before, "the slow readers to be let go")
    for client in clients:
        client.close()


def test_slow_uploads(serve_newest):
    """Fifty bodies that stand still; each was spooled, and no file is left."""
    probe = serve_newest("probe.py", config={"body_timeout": 1})
    probe.request(request("/"))
    before = probe.descriptors
    clients = connect_many(probe, 50)
    raw = request("/digest", "POST", [("Content-Length", "1000000")], b"x" * 200_000)
    for client in clients:
        client.sendall(raw)
    assert probe.request(request("/")).body == b"hello"
    for client in clients:
        assert client.recv(12) == b"HTTP/1.1 408"
        client.close()
    wait_until(lambda: probe.descriptors <= before, "sockets and files to be let go")

"""Clients that vanish, at every byte of the request and of the answer.

Each goes once in order (FIN) and once abruptly (RST). What holds afterwards: the server serves,
holds no more descriptors than before, and has closed every result that it was given.
"""

import pytest
from support.process import wait_until
from standard.message import chunks, post_chunked, request, respond

GOODBYES = ["close", "reset"]


def settled(probe, before):
    wait_until(lambda: probe.descriptors <= before, "descriptors to be given back")
    assert probe.request(request("/")).body == b"hello"


@pytest.fixture
def fresh(serve_probe, dialect):
    """A server of its own, and how many descriptors it has when it rests."""
    probe = serve_probe("probe.py", dialect=dialect)
    probe.request(request("/"))
    return probe, probe.descriptors


@pytest.mark.wire
@pytest.mark.parametrize("goodbye", GOODBYES)
def test_in_the_request(fresh, goodbye):
    probe, before = fresh
    whole = request("/echo?x=y", "POST", [("X-One", "1"), ("Content-Length", "5")], b"hello")
    for cut in range(len(whole) + 1):
        client = probe.connect()
        client.send(whole[:cut])
        getattr(client, goodbye)()
    settled(probe, before)


@pytest.mark.wire
@pytest.mark.parametrize("goodbye", GOODBYES)
def test_in_a_chunked_request(serve_probe, goodbye):
    probe = serve_probe("probe.py")
    probe.request(request("/"))
    before = probe.descriptors
    whole = post_chunked("/echo", chunks(b"hello world", 4, b"Trailer: x\r\n"))
    for cut in range(len(whole) + 1):
        client = probe.connect()
        client.send(whole[:cut])
        getattr(client, goodbye)()
    settled(probe, before)


@pytest.mark.parametrize("goodbye", GOODBYES)
@pytest.mark.parametrize("shape", ["closing", "closing-list"])
def test_in_the_answer(fresh, name, goodbye, shape):
    """After each of its bytes; the whole is sent by then, or still being produced."""
    probe, before = fresh
    raw = request(respond(shape=shape, items=["ab", "cd"], name=name), version="HTTP/1.0")
    with probe.connect() as client:
        client.send(raw)
        length = len(client.read_to_end())
    for cut in range(length + 1):
        client = probe.connect()
        client.send(raw)
        client.read_exactly(cut)
        getattr(client, goodbye)()
    settled(probe, before)
    events = probe.eventually(name, lambda events: events.count("close") == events.count("start"))
    assert events.count("start") == length + 2


@pytest.mark.parametrize("goodbye", GOODBYES)
@pytest.mark.parametrize("shape", ["closing", "closing-list"])
def test_in_a_long_answer(fresh, name, goodbye, shape):
    """The kernel's buffers are full and the server waits to write."""
    probe, before = fresh
    target = respond(shape=shape, items=[["x", 1 << 20]], times=30, name=name)
    for read in (0, 1, 1000, 100_000, 5_000_000):
        client = probe.connect(receive_buffer=65536)
        client.send(request(target))
        client.read_exactly(read)
        getattr(client, goodbye)()
    settled(probe, before)
    events = probe.eventually(name, lambda events: events.count("close") == events.count("start"))
    assert events.count("start") <= 5


@pytest.mark.wire
@pytest.mark.parametrize("goodbye", GOODBYES)
def test_with_pipelined_requests(serve_probe, goodbye):
    probe = serve_probe("probe.py")
    probe.request(request("/"))
    before = probe.descriptors
    batch = request(respond(shape="list", items=[["x", 10_000]])) * 200
    for read in (0, 1, 5000, 20_000, 1_000_000):
        client = probe.connect()
        client.send(batch)
        client.read_exactly(read)
        getattr(client, goodbye)()
    settled(probe, before)


@pytest.mark.parametrize("goodbye", GOODBYES)
def test_while_the_application_works(fresh, name, goodbye):
    """It is blocked in the call when its client leaves."""
    probe, before = fresh
    for _ in range(3):
        client = probe.connect()
        client.send(request("/sleep?0.2"))
        getattr(client, goodbye)()
    settled(probe, before)


@pytest.mark.wire
@pytest.mark.parametrize("goodbye", GOODBYES)
def test_right_after_the_connection(fresh, goodbye):
    """Before or after the server accepts it."""
    probe, before = fresh
    for _ in range(300):
        getattr(probe.connect(), goodbye)()
    settled(probe, before)

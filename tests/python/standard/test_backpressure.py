"""The pace of answers is the client's: more is asked for when the last item was written."""

import time

import pytest

from standard.message import request, respond
from standard.probe import framing

pytestmark = pytest.mark.wire

MEGABYTE = ["x", 1 << 20]


def test_each_item_is_sent_before_the_next_is_asked_for(probe, tmp_path):
    """The application blocks the server in its second step until the first item was seen."""
    flag = tmp_path / "seen"
    with probe.connect() as client:
        client.send(request(f"/stepwise?{flag}"))
        client.read_until(b"\r\n\r\n")
        client.read_until(b"one")
        flag.touch()
        client.read_until(b"two")


def test_a_slow_generator_lets_others_in(probe, name):
    """However many items it may send in one turn, five milliseconds are one too. Both requests are
    there when the server comes back from an application that blocked it."""
    with probe.connect() as busy, probe.connect() as client, probe.connect() as other:
        for each in client, other:
            each.send(request("/"))
            assert each.response().body == b"hello"
        busy.send(request("/sleep?2"))
        client.send(request(f"/patient?{name}"))
        other.send(request(f"/ignore?name={name}"))
        assert other.response().body == b"ignored"
        assert client.response().body == b"item" * 40
    assert probe.journal(name).index("called") < 10


def test_a_generator_waits_for_its_reader(probe, name):
    """100 MiB offered, nothing read: what is drawn fits the kernel's two buffers."""
    target = respond(items=[MEGABYTE], times=100, name=name)
    before = probe.resident_kib
    with probe.connect() as client:
        client.send(request(target))
        client.read_until(b"\r\n\r\n")
        settled = settle(lambda: len(probe.journal(name)))
        assert 0 < settled < 40
        assert probe.resident_kib - before < 16 << 10
        # Others are served meanwhile.
        assert probe.request(request("/")).body == b"hello"
        assert len(b"".join(client._read_chunks())) == 100 << 20
    events = probe.journal(name)
    assert events[-1] == "end" and len(events) == 102


def settle(measure):
    """The value of `measure` once it stays the same for a second."""
    value, since = measure(), time.monotonic()
    while time.monotonic() - since < 1:
        time.sleep(0.05)
        if (new := measure()) != value:
            value, since = new, time.monotonic()
    return value


def test_a_large_answer_does_not_hold_others_up(probe):
    """Nor do many such: each gets its turn."""
    target = respond(shape="list", items=[["x", 20_000_000]])
    slow = [probe.connect(receive_buffer=32768) for _ in range(10)]
    for client in slow:
        client.send(request(target))
    for _ in range(20):
        assert probe.request(request("/")).body == b"hello"
    for client in slow[:2]:
        assert len(client.response().body) == 20_000_000
    for client in slow[2:]:
        client.reset()


def test_generators_take_turns(probe, name):
    """Two endless-looking answers to clients that both read: neither waits for the other's end."""
    target = respond(items=[["x", 1000]], times=20_000, name=name)
    clients = [probe.connect() for _ in range(2)]
    for client in clients:
        client.send(request(target))
    for client in clients:
        client.read_until(b"\r\n\r\n")
    for client in reversed(clients):
        assert len(b"".join(client._read_chunks())) == 20_000_000
        client.close()


def test_a_short_request_between_items(probe, name):
    """Others are served between two items of a long generator, not after its end."""
    with probe.connect() as client:
        client.send(request(respond(items=[["x", 100_000]], times=3000, name=name)))
        client.read_until(b"\r\n\r\n")
        drawn = probe.journal(name)
        assert "end" not in drawn
        assert len(b"".join(client._read_chunks())) == 300_000_000


def test_written_data_waits_for_its_reader(probe):
    """`write()` may keep what the kernel does not take; all of it arrives, in order."""
    with probe.connect(receive_buffer=32768) as client:
        client.send(request("/write-large"))
        answer = client.response()
        assert framing(answer) in ("chunked", "length")
        assert answer.body == b"".join(letter * (4 << 20) for letter in (b"a", b"b", b"c", b"d"))

"""How long a connection lives: RFC 9112 section 9, and pipelining."""

import json
import socket
import sys
import threading

import pytest
from support import PATIENCE
from standard.message import chunks, post, post_chunked, request, respond
from standard.probe import framing

LONG_ITEM = ["x", 1 << 20]


def connection_option(answer):
    return (answer.header("Connection") or "").lower()


def test_http_1_1_persists(probe):
    with probe.connect() as client:
        for _ in range(50):
            client.send(request("/"))
            answer = client.response()
            assert (answer.body, connection_option(answer)) == (b"hello", "")


@pytest.mark.parametrize(
    "shape", ["list", "tuple", "generator", "iterator", "iterable", "empty-iterator"]
)
def test_every_shape_of_body_persists(probe, shape):
    with probe.connect() as client:
        client.send(request(respond(shape=shape, items=["a", "b"])) + request("/"))
        assert client.response().status == 200
        assert client.response().body == b"hello"


@pytest.mark.wire
@pytest.mark.parametrize(
    "option",
    ["close", "Close", "CLOSE", "foo, close", "close, foo", "keep-alive, close", " ,close,"],
)
def test_connection_close(probe, option):
    with probe.connect() as client:
        client.send(request("/", headers=[("Connection", option)]) + request("/"))
        answer = client.response()
        assert (answer.body, connection_option(answer)) == (b"hello", "close")
        assert client.read_to_end() == b""


CLOSE = [("Connection", "close")]


@pytest.mark.wire
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's own count")
@pytest.mark.parametrize(
    ("message", "answers"),
    [
        (request("/", headers=CLOSE), 1),
        (request("/", version="HTTP/1.0"), 1),
        (request("/", host=None), 1),
        (request(respond(shape="list", items=[["x", 5000]]), headers=CLOSE), 1),
        (request(respond(shape="generator", items=["x"]), headers=CLOSE), 1),
    ],
    ids=["asked", "old", "refused", "long", "generator"],
)
def test_the_end_goes_in_the_packet_of_the_last_bytes(probe, message, answers):
    def segments():
        with probe.connect() as client:
            client.send(message)
            assert client.response().body
            assert client.at_end()
            return client.segments_received()

    # Before the answer the connection is accepted, and the request acknowledged. Now and then the
    # kernel acknowledges once more, so that the least of some counts.
    assert min(segments() for _ in range(20)) == 2 + answers


@pytest.mark.wire
def test_connection_close_in_a_second_line(probe):
    with probe.connect() as client:
        client.send(request("/", headers=[("Connection", "foo"), ("Connection", "close")]))
        assert connection_option(client.response()) == "close"
        assert client.read_to_end() == b""


@pytest.mark.wire
@pytest.mark.parametrize(
    "option", ["closed", "foo-close", "close-foo", "keep-alive", "clos", "foo"]
)
def test_other_connection_options(probe, option):
    with probe.connect() as client:
        client.send(request("/", headers=[("Connection", option)]) + request("/"))
        assert connection_option(client.response()) in ("", "keep-alive")
        assert client.response().body == b"hello"


def test_close_with_a_generator_is_still_chunked(probe):
    """The end of the stream alone does not tell a whole body from a cut one."""
    with probe.connect() as client:
        client.send(request(respond(items=["a", "b"]), headers=[("Connection", "close")]))
        answer = client.response()
        assert (answer.body, framing(answer), connection_option(answer)) == (
            b"ab",
            "chunked",
            "close",
        )
        assert client.read_to_end() == b""


@pytest.mark.wire
def test_http_1_0_closes(probe):
    with probe.connect() as client:
        client.send(request("/", version="HTTP/1.0") + request("/"))
        answer = client.response()
        assert answer.body == b"hello"
        assert connection_option(answer) in ("", "close")
        assert client.read_to_end() == b""


@pytest.mark.wire
@pytest.mark.parametrize("option", ["keep-alive", "Keep-Alive", "foo, KEEP-ALIVE"])
def test_http_1_0_keep_alive(probe, option):
    with probe.connect() as client:
        for _ in range(3):
            client.send(request("/", headers=[("Connection", option)], version="HTTP/1.0"))
            answer = client.response()
            assert (answer.body, framing(answer)) == (b"hello", "length")
            assert connection_option(answer) == "keep-alive"


def test_http_1_0_keep_alive_of_unknown_length(probe):
    """Without a length the end of the stream is the end of the body: nothing is kept alive."""
    with probe.connect() as client:
        target = respond(items=["a", "b"])
        client.send(request(target, headers=[("Connection", "keep-alive")], version="HTTP/1.0"))
        answer = client.response()
        assert (answer.body, framing(answer)) == (b"ab", "close")
        assert connection_option(answer) != "keep-alive"


@pytest.mark.wire
def test_http_1_0_keep_alive_and_close(probe):
    with probe.connect() as client:
        client.send(request("/", headers=[("Connection", "keep-alive, close")], version="HTTP/1.0"))
        assert connection_option(client.response()) in ("", "close")
        assert client.read_to_end() == b""


def test_pipelined_requests_are_answered_in_order(probe):
    targets = [f"/environ/{number}" for number in range(300)]
    with probe.connect() as client:
        client.send(b"".join(map(request, targets)))
        for target in targets:
            seen = json.loads(client.response().body)["values"]
            assert seen["PATH_INFO"] == ["str", target]


def test_pipelined_requests_of_all_kinds(probe):
    """Bodies of either framing, HEAD, empty answers, generators: each ends where it should."""
    long_body = bytes(range(256)) * 1000
    exchanges = [
        (request("/"), "GET", b"hello"),
        (post("/echo", b"one"), "POST", b"one"),
        (request("/", "HEAD"), "HEAD", b""),
        (post_chunked("/echo", chunks(long_body, 10_000)), "POST", long_body),
        (request(respond(status="204 No Content", shape="empty-iterator")), "GET", b""),
        (request(respond(items=["a", "", "b"])), "GET", b"ab"),
        (post("/echo", long_body), "POST", long_body),
        (request(respond(status="304 Not Modified", items=["c"])), "GET", b""),
        (post("/ignore", long_body), "POST", b"ignored"),
        (request(respond(items=["x"]), "HEAD"), "HEAD", b""),
        (request("/"), "GET", b"hello"),
    ]
    whole = b"".join(raw for raw, _, _ in exchanges * 3)
    for size in (len(whole), 50_000, 1000):
        with probe.connect() as client:
            pieces = (whole[start : start + size] for start in range(0, len(whole), size))
            sender = threading.Thread(target=client.send, args=pieces)
            sender.start()
            for _, method, body in exchanges * 3:
                assert client.response(method).body == body
            sender.join(PATIENCE)


@pytest.mark.wire
def test_requests_after_close_are_not_served(probe, name):
    with probe.connect() as client:
        last = request("/", headers=[("Connection", "close")])
        client.send(last + request(f"/ignore?name={name}"))
        assert client.response().body == b"hello"
        assert client.read_to_end() == b""
    assert probe.journal(name) == []


@pytest.mark.wire
def test_read_ahead_is_bounded(serve_probe):
    """A client that asks without end and never reads fills the kernel's buffers, not the server."""
    probe = serve_probe("probe.py")
    batch = request(respond(shape="list", items=[LONG_ITEM])) * 100
    with probe.connect() as client:
        client.send(request("/"))
        client.response()
        before = probe.resident_kib
        client.socket.settimeout(1)
        sent = 0
        with pytest.raises(socket.timeout):
            while sent < 64 << 20:
                sent += client.socket.send(batch)
        assert probe.resident_kib - before < 16 << 10
    assert probe.request(request("/")).body == b"hello"


@pytest.mark.wire
def test_an_idle_connection_costs_others_nothing(probe):
    idle = [probe.connect() for _ in range(100)]
    assert probe.request(request("/")).body == b"hello"
    for client in idle:
        client.send(request("/"))
        assert client.response().body == b"hello"
        client.close()


@pytest.mark.parametrize("shape", ["list", "generator"])
def test_half_closed_client_gets_its_answer(probe, shape):
    items = ["begin", ["x", 3_000_000], "end"]
    with probe.connect() as client:
        client.send(request(respond(shape=shape, items=items)))
        client.half_close()
        body = client.response().body
        assert (len(body), body[-3:]) == (3_000_008, b"end")
        assert client.read_to_end() == b""


@pytest.mark.wire
def test_half_closed_client_gets_all_pipelined_answers(probe):
    with probe.connect() as client:
        client.send(request("/") * 3 + post("/echo", b"x" * 100_000))
        client.half_close()
        assert [client.response().body for _ in range(4)] == [b"hello"] * 3 + [b"x" * 100_000]
        assert client.read_to_end() == b""


@pytest.mark.wire
@pytest.mark.parametrize("rest", [b"x" * 900_000, b"GET / HTTP/1.1\r\n" * 10_000])
def test_refusal_survives_unread_input(probe, rest):
    """Closing with unread input sends a reset, which can take the answer with it."""
    with probe.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nbroken\r\n\r\n" + rest)
        client.half_close()
        assert client.response().status == 400
        assert client.read_to_end() == b""


@pytest.mark.wire
def test_refusal_reaches_a_client_that_is_still_sending(probe):
    """Megabytes are on their way when the answer comes; the client looks only after its send."""
    with probe.connect() as client:
        client.send(request("/echo", "POST", [("Content-Length", str(100 << 30))]))
        try:
            for _ in range(200):
                client.send(b"x" * 65536)
        except (BrokenPipeError, ConnectionResetError):
            pass  # told so after the lingering ended; what had come before must be there
        assert client.response().status == 413


def test_answer_before_close_is_whole_for_a_slow_reader(probe):
    """`Connection: close` does not cut what the kernel's buffer did not take."""
    target = respond(shape="list", items=[["x", 8_000_000]])
    with probe.connect(receive_buffer=32768) as client:
        client.send(request(target, headers=[("Connection", "close")]))
        assert len(client.response().body) == 8_000_000
        assert client.read_to_end() == b""

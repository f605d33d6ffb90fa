"""`Expect: 100-continue`: RFC 9110 section 10.1.1."""

import pytest
from standard.message import chunks, request
from standard.refusal import assert_closing

pytestmark = pytest.mark.wire

EXPECT = ("Expect", "100-continue")


def head(target="/echo", *headers, version="HTTP/1.1"):
    return request(target, "POST", [EXPECT, *headers], version=version)


@pytest.mark.parametrize("value", ["100-continue", "100-Continue", "100-CONTINUE"])
def test_continue_then_answer(probe, value):
    with probe.connect() as client:
        client.send(request("/echo", "POST", [("Expect", value), ("Content-Length", "5")]))
        interim = client.response()
        assert (interim.status, interim.version, interim.headers) == (100, "HTTP/1.1", [])
        client.send(b"hello")
        assert client.response().body == b"hello"
        client.send(request("/"))
        assert client.response().body == b"hello"


def test_continue_for_a_chunked_body(probe):
    with probe.connect() as client:
        client.send(head("/echo", ("Transfer-Encoding", "chunked")))
        assert client.response().status == 100
        client.send(chunks(b"hello", 2))
        assert client.response().body == b"hello"


def test_continue_comes_once(probe):
    with probe.connect() as client:
        client.send(head("/echo", ("Content-Length", "5")))
        assert client.response().status == 100
        for byte in b"hello":
            client.send(bytes([byte]))
        assert client.response().body == b"hello"


def test_body_sent_without_waiting(probe):
    """Then 100 may be left out; the answer must be right either way."""
    with probe.connect() as client:
        client.send(head("/echo", ("Content-Length", "5")) + b"hello" + request("/"))
        answer = client.response()
        if answer.status == 100:
            answer = client.response()
        assert answer.body == b"hello"
        assert client.response().body == b"hello"


def test_no_body_no_wait(probe):
    for headers in ([EXPECT], [EXPECT, ("Content-Length", "0")]):
        with probe.connect() as client:
            client.send(request("/", headers=headers))
            answer = client.response()
            if answer.status == 100:
                answer = client.response()
            assert answer.body == b"hello"


def test_never_to_http_1_0(probe):
    with probe.connect() as client:
        client.send(head("/echo", ("Content-Length", "5"), version="HTTP/1.0"))
        client.send(b"hello")
        answer = client.response()
        assert (answer.status, answer.body) == (200, b"hello")


@pytest.mark.parametrize("value", ["200-ok", "100-continue-not", "x", "100-continue=1", "foo=bar"])
def test_other_expectations(probe, value):
    with probe.connect() as client:
        client.send(request("/echo", "POST", [("Expect", value), ("Content-Length", "5")]))
        answer = client.response()
        assert answer.status == 417
        assert_closing(answer)
        assert client.read_to_end() == b""


@pytest.mark.parametrize(
    "headers, status",
    [
        ([("Content-Length", str(100 << 30))], 413),
        ([("Content-Length", "x")], 400),
        ([("Content-Length", "5"), ("Transfer-Encoding", "chunked")], 400),
        ([("Transfer-Encoding", "gzip, chunked")], 501),
        ([("Content-Length", "5"), ("Host", "second")], 400),
    ],
)
def test_refused_without_continue(probe, headers, status):
    """The point of asking first: the refusal comes before the body is sent."""
    with probe.connect() as client:
        client.send(head("/echo", *headers))
        answer = client.response()
        assert answer.status == status
        assert_closing(answer)
        assert client.read_to_end() == b""

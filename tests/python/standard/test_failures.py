"""Applications that raise: what the client gets, what the log gets, and that the server goes on."""

import re

import pytest
from support.client import ProtocolError
from standard.message import post, request, respond
from standard.refusal import assert_closing

RAISES = ["ValueError", "SystemExit", "KeyboardInterrupt", "GeneratorExit", "MemoryError"]


@pytest.mark.parametrize("raises", RAISES)
@pytest.mark.parametrize("start", ["now", "never"])
def test_before_the_head(probe, raises, start):
    answer = probe.request(request(respond(fail="call", raises=raises, start=start)))
    assert (answer.status, answer.version) == (500, "HTTP/1.1")
    assert_closing(answer)
    assert b"planned" not in answer.body
    assert probe.request(request("/")).body == b"hello"


@pytest.mark.parametrize("raises", RAISES)
@pytest.mark.parametrize("shape", ["generator", "closing"])
@pytest.mark.parametrize("items", [["a"], ["", "a"]])
def test_before_the_first_byte_of_body(probe, raises, shape, items):
    """The head was not sent yet: it becomes a 500, not a 200 that breaks."""
    target = respond(items=items, fail=len(items) - 1, raises=raises, shape=shape)
    answer = probe.request(request(target))
    assert answer.status == 500
    assert_closing(answer)


@pytest.mark.parametrize("raises", RAISES)
@pytest.mark.parametrize("shape", ["generator", "closing"])
@pytest.mark.parametrize("length", [None, "3"])
def test_after_the_head(probe, raises, shape, length):
    """The client must see that the answer is not whole: no last chunk, or bytes missing."""
    headers = [["Content-Length", length]] if length else []
    target = respond(items=["a", "b", "c"], fail=1, raises=raises, shape=shape, headers=headers)
    with probe.connect() as client:
        client.send(request(target) + request("/"))
        with pytest.raises(ProtocolError):
            client.response()
    assert probe.request(request("/")).body == b"hello"


def test_after_the_head_in_http_1_0(probe):
    """The end of the stream would be the end of the body: only a reset tells that it is not."""
    target = respond(items=["a", "b", "c"], fail=2)
    with probe.connect() as client:
        client.send(request(target, version="HTTP/1.0"))
        with pytest.raises(ConnectionResetError):
            client.read_to_end()


@pytest.mark.parametrize("raises", RAISES)
def test_close_that_raises(probe, raises):
    """The answer was whole by then and stays so."""
    target = respond(shape="closing", items=["a"], fail="close", raises=raises)
    answer = probe.request(request(target))
    assert (answer.status, answer.body) == (200, b"a")
    assert probe.request(request("/")).body == b"hello"


def test_stop_iteration_from_the_application(probe):
    """No end of a body: the call itself raised it."""
    assert probe.request(request(respond(fail="call", raises="StopIteration"))).status == 500


def test_the_log_has_the_traceback_and_the_client_does_not(serve_probe):
    probe = serve_probe("probe.py")
    answer = probe.request(request(respond(fail="call")))
    assert b"Traceback" not in answer.body and b"outgoing.py" not in answer.body
    probe.wait_for_output("planned failure", "stderr")
    assert "Traceback" in probe.stderr and "outgoing.py" in probe.stderr


@pytest.mark.parametrize("raises", ["ValueError", "SystemExit", "KeyboardInterrupt"])
@pytest.mark.parametrize("where", ["call", 1, "close", "iter"])
def test_every_failure_is_logged(serve_probe, raises, where):
    probe = serve_probe("probe.py")
    target = respond(shape="closing", items=["a", "b"], fail=where, raises=raises)
    with probe.connect() as client:
        client.send(request(target, headers=[("Connection", "close")]))
        client.read_to_end()
    probe.wait_for_output(raises, "stderr")
    assert "outgoing.py" in probe.stderr
    lines = probe.stderr.splitlines()
    heads = [line for line in lines if line.endswith(f"the application failed: GET {target}")]
    assert heads, lines
    stamp = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] "
    assert re.match(stamp + rf"\[{probe.pid}\] \[ERROR\] ", heads[0]), heads
    assert lines[lines.index(heads[0]) + 1] == "Traceback (most recent call last):"


def test_the_traceback_is_shown_when_configured(serve_probe):
    probe = serve_probe("probe.py", config={"send_traceback_to_browser": True})
    answer = probe.request(request(respond(fail="call")))
    assert answer.status == 500
    assert b"planned failure" in answer.body


def test_a_body_that_was_not_read_is_no_request(probe):
    """The 500 closes the connection; the body behind it is never parsed."""
    with probe.connect() as client:
        client.send(post(respond(fail="call"), request("/") * 1000))
        assert client.response().status == 500
        assert client.read_to_end() == b""


def test_head_of_a_failure(probe):
    with probe.connect() as client:
        client.send(request(respond(fail="call"), "HEAD"))
        answer = client.response("HEAD")
        assert answer.status == 500
        assert client.read_to_end() == b""


def test_failures_in_a_row(probe):
    """Error paths are rarely walked: walk them often, on connections old and new."""
    for number in range(200):
        with probe.connect() as client:
            client.send(request("/") + request(respond(items=["a", "b"], fail=number % 2)))
            assert client.response().body == b"hello"
            client.read_to_end()
    assert probe.request(request("/")).body == b"hello"

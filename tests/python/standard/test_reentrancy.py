"""Python code that runs where nobody expects it: destructors, generators of headers, `__str__`.

Whatever it does, one request has one whole response, and the server goes on.
"""

import pytest
from standard.message import request


def closing(target):
    return request(target, headers=[("Connection", "close")])


@pytest.mark.parametrize("when", ["at once", "when it was sent"])
def test_the_application_returns_while_its_thread_is_inside_write(reentrant, tmp_path, when):
    sent = tmp_path / "sent"
    with reentrant.connect() as client:
        query = "" if when == "at once" else f"?{sent}"
        client.send(request("/write-in-thread" + query))
        if query:
            assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
            assert client.read_exactly(20_000) == b"x" * 20_000
            sent.touch()
            assert client.read_exactly(3) == b"end"
        else:
            answer = client.response()
            assert (answer.status, answer.body) == (200, b"x" * 20_000 + b"end")
        client.send(request("/own-list"))
        assert client.response().status == 200


def test_a_head_whose_headers_raise_changes_nothing(reentrant):
    answer = reentrant.request(request("/headers-that-start"))
    assert (answer.status, answer.reason, answer.body) == (200, "Inner", b"body")
    assert answer.header("X-Inner") == "1" and answer.header("X-Outer") is None


def test_headers_that_call_start_response_make_the_outer_call_the_second(reentrant):
    answer = reentrant.request(request("/headers-that-start-and-end"))
    assert (answer.status, answer.reason, answer.body) == (200, "Inner", b"second")
    assert answer.header("X-Inner") == "1" and answer.header("X-Outer") is None


def test_a_header_value_is_not_kept_past_its_request(reentrant):
    with reentrant.connect() as client:
        client.send(request("/keep-value"))
        assert client.response().header("X-Value") == "1"
        client.send(request("/look-at-value"))
        assert client.response().body == b"gone"


def test_a_child_that_a_header_forked_does_not_respond(reentrant):
    raw = reentrant.exchange(closing("/fork-in-header"))
    assert raw.count(b"HTTP/1.1 ") == 1 and raw.count(b"one ") == 1
    assert b"X-Forking: forked\r\n" in raw and b"two" in raw


def test_a_child_that_the_log_stream_forked_does_not_respond(reentrant):
    raw = reentrant.exchange(closing("/fork-in-log"))
    assert raw.startswith(b"HTTP/1.1 500 ") and raw.count(b"HTTP/1.1 ") == 1


def resident(pid):
    """Kilobytes of the process that are in memory."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def test_many_short_items_are_not_copied_before_the_client_reads(reentrant):
    """Copied whole they would be 200 MB, and gone through `Vec`'s growth 400."""
    reentrant.request(request("/own-list"))
    before = resident(reentrant.pid)
    with reentrant.connect(receive_buffer=4096) as client:
        client.send(request("/many-items"))
        assert client.read_exactly(100).startswith(b"HTTP/1.1 200 OK\r\n")
        # Whoever else comes has the response while this one does not read.
        reentrant.request(request("/own-list"))
        assert resident(reentrant.pid) - before < 64 << 10
    with reentrant.connect() as client:
        client.send(request("/many-items"))
        answer = client.response()
    assert answer.header("Content-Length") == str(200_000_000)
    assert len(answer.body) == 200_000_000 and answer.body.count(b"x") == 200_000_000

"""How much the legacy dialect takes, and for how long: it does not grow or wait for ever.

The limits are wider than the standard dialect's, the pages are the legacy dialect's own.
"""

import json

import pytest

pytestmark = pytest.mark.wire

MEBI = 1 << 20


def headers(count):
    """So many header lines."""
    return b"".join(b"X-%d: v\r\n" % number for number in range(count))


def get(target=b"/echo", lines=b""):
    """A GET."""
    return b"GET " + target + b" HTTP/1.0\r\n" + lines + b"\r\n"


def post(length):
    """A POST that announces a body of this length, and no body."""
    return b"POST /echo HTTP/1.0\r\nContent-Length: " + length + b"\r\n\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        get(lines=headers(1000)),
        get(b"/echo?" + b"x" * (MEBI - 4096)),
        get(lines=b"X: " + b"v" * (MEBI - 4096) + b"\r\n"),
        get(b"/echo?" + b"x" * 500_000, b"X: " + b"v" * 500_000 + b"\r\n"),
    ],
    ids=["1000 headers", "long target", "long header", "long head"],
)
def test_large_heads_are_taken(start_ours, request_bytes):
    program = start_ours("reporter.py", "stock")
    assert b"\r\n\r\necho:" in program.exchange(request_bytes)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (get(lines=headers(1001)), "431 Request Header Fields Too Large"),
        (get(lines=b"X: " + b"v" * MEBI + b"\r\n"), "431 Request Header Fields Too Large"),
        (get(b"/echo?" + b"x" * MEBI), "414 Request-URI Too Long"),
        (post(b"1073741825"), "413 Request Entity Too Large"),
        (post(b"9" * 40), "413 Request Entity Too Large"),
    ],
    ids=["headers", "head", "target", "body", "body beyond numbers"],
)  # fmt: skip
def test_larger_ones_get_a_page(start_ours, request_bytes, status):
    program = start_ours("reporter.py", "stock")
    assert_page(program.exchange(request_bytes), status)
    assert program.of_kind("call") == []
    assert b"\r\n\r\necho:" in program.exchange(get())


@pytest.mark.parametrize(
    ("config", "part", "status"),
    [
        ({"header_timeout": 0.5}, b"GET /echo HTTP/1.0\r\nX: ", "408 Request Timeout"),
        ({"header_timeout": 0.5}, b"G", "408 Request Timeout"),
        ({"header_timeout": 0.5}, b"", None),
        ({"body_timeout": 0.5}, post(b"4") + b"ab", "408 Request Timeout"),
    ],
    ids=["head", "first byte", "nothing", "body"],
)
def test_nobody_is_waited_for_for_ever(start_ours, config, part, status):
    program = start_ours("reporter.py", "stock", env={"CONFIG": json.dumps(config)})
    answer = program.exchange(part)
    if status is None:
        assert answer == b""
    else:
        assert_page(answer, status)
    assert program.of_kind("call") == []


def assert_page(answer, status):
    """An answer in the form of this dialect's pages."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, kind, server = head.decode().split("\r\n")
    assert (first, kind) == (f"HTTP/1.0 {status}", "Content-Type: text/html")
    assert server == "Server: reporter/0.11"
    assert body.startswith(b"<html><head><title>") and body.endswith(b"!!!</p></body></html>")

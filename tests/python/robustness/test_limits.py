"""Every limit on size in `config`: what is within it is served, what is past it is refused.

The tests bracket a limit by a few bytes, as the line ends may count or not.
"""

import os

import pytest
from support.process import wait_until
from standard.message import chunk, chunks, post, post_chunked, request
from standard.refusal import assert_refused

LIMITS = {
    "max_request_line": 100,
    "max_header_size": 1000,
    "max_header_count": 10,
    "max_body_size": 5000,
    "max_chunk_extension": 50,
    "body_memory": 1000,
}


@pytest.fixture
def limited(serve_probe, dialect):
    """A server with all limits small, in either dialect."""
    return serve_probe("probe.py", config=LIMITS, dialect=dialect)


@pytest.fixture
def strict(serve_probe):
    """The same in the standard dialect."""
    return serve_probe("probe.py", config=LIMITS)


def refuse(server, data, status):
    """One answer of this status in either dialect's format, then the end."""
    with server.connect() as client:
        client.send(data)
        answer = client.response()
        assert answer.status == status
        assert client.read_to_end() == b""


def line_of(length):
    """A request whose request line has this many bytes without its CRLF."""
    spare = length - len("GET /? HTTP/1.1")
    return request("/?" + "x" * spare)


@pytest.mark.wire
def test_request_line(limited):
    assert limited.request(line_of(95)).status == 200
    refuse(limited, line_of(105), 414)


@pytest.mark.wire
def test_request_line_without_end(limited):
    """It is refused when the limit is passed, not when the line ends."""
    refuse(limited, b"GET /" + b"x" * 300, 414)


@pytest.mark.wire
def test_header_size(limited):
    assert limited.request(request(headers=[("X-Long", "x" * 930)])).status == 200
    refuse(limited, request(headers=[("X-Long", "x" * 1000)]), 431)


@pytest.mark.wire
def test_header_without_end(limited):
    refuse(limited, request()[:-2] + b"X-Long: " + b"x" * 5000, 431)
    refuse(limited, request()[:-2] + b"X: y\r\n" * 200, 431)


@pytest.mark.wire
def test_header_count(limited):
    """Host counts too."""
    assert limited.request(request(headers=[("X", "y")] * 9)).status == 200
    refuse(limited, request(headers=[("X", "y")] * 10), 431)


@pytest.mark.wire
def test_body_size(limited):
    assert limited.request(post("/digest", b"x" * 5000)).body.startswith(b"5000 ")
    refuse(limited, post("/digest", b"x" * 5001), 413)


@pytest.mark.wire
def test_body_size_by_announcement(limited):
    """Refused before any of it is read."""
    refuse(limited, request("/digest", "POST", [("Content-Length", "5001")]), 413)
    refuse(limited, request("/digest", "POST", [("Content-Length", str(1 << 62))]), 413)


@pytest.mark.wire
@pytest.mark.parametrize("size", [1, 100, 5000, 6000])
def test_chunked_body_size(strict, size):
    """No length is announced: it is refused when the sum passes the limit."""
    if size <= 5000:
        answer = strict.request(post_chunked("/digest", chunks(b"x" * 5000, size)))
        assert answer.body.startswith(b"5000 ")
    assert_refused(strict, post_chunked("/digest", chunks(b"x" * 6000, size)), 413)


@pytest.mark.wire
def test_chunked_body_without_end(strict):
    refuse(strict, post_chunked("/digest", chunk(b"x" * 100) * 60), 413)


@pytest.mark.wire
def test_chunk_extension(strict):
    body = chunk(b"hello", b";" + b"x" * 45) + b"0\r\n\r\n"
    assert strict.request(post_chunked("/echo", body)).body == b"hello"
    body = chunk(b"hello", b";" + b"x" * 60) + b"0\r\n\r\n"
    assert_refused(strict, post_chunked("/echo", body), 400)


@pytest.mark.wire
def test_chunk_extensions_of_a_message(strict):
    """Each line within its limit; together sixteen times that."""
    body = chunk(b"h", b";" + b"x" * 45)
    assert strict.request(post_chunked("/echo", body * 10 + b"0\r\n\r\n")).body == b"h" * 10
    assert_refused(strict, post_chunked("/echo", body * 30 + b"0\r\n\r\n"), 400)


@pytest.mark.wire
def test_trailers(strict):
    """They are held to the head's size."""
    trailers = b"T: " + b"x" * 900 + b"\r\n"
    assert strict.request(post_chunked("/echo", chunks(b"a", 1, trailers))).body == b"a"
    assert_refused(strict, post_chunked("/echo", chunks(b"a", 1, trailers * 2)), {400, 431})


@pytest.mark.wire
def test_no_body_limit(serve_probe):
    probe = serve_probe("probe.py", config={"max_body_size": 0})
    assert probe.request(post("/digest", b"x" * 3_000_000)).body.startswith(b"3000000 ")
    announced = [("Content-Length", str(1 << 40)), ("Expect", "100-continue")]
    with probe.connect() as client:
        client.send(request("/digest", "POST", announced))
        assert client.response().status == 100


def spooled(pid):
    """How many files without a name the process has open."""
    count = 0
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        try:
            count += os.readlink(f"/proc/{pid}/fd/{descriptor}").endswith(" (deleted)")
        except OSError:
            pass  # closed meanwhile
    return count


@pytest.mark.wire
def test_body_memory(strict):
    """Past it the body is in a file, before it is not."""
    for size, files in (900, 0), (1500, 1):
        with strict.connect() as client:
            client.send(request("/digest", "POST", [("Content-Length", "5000")], b"x" * size))
            strict.request(request("/"))
            wait_until(lambda files=files: spooled(strict.pid) == files, "the body to be kept")
            client.send(b"x" * (5000 - size))
            assert client.response().body.startswith(b"5000 ")


@pytest.mark.wire
def test_head_and_body_together_are_no_head(limited):
    """A large body in the same packet does not count against the head."""
    assert limited.request(post("/digest", b"x\r\n" * 1500)).body.startswith(b"4500 ")


@pytest.mark.wire
def test_max_connections(serve_probe):
    """One more than allowed waits in the kernel's queue, and is served when one leaves."""
    probe = serve_probe("probe.py", config={"max_connections": 3})
    clients = [probe.connect() for _ in range(4)]
    for client in clients:
        client.send(request("/"))
    for client in clients[:3]:
        assert client.response().body == b"hello"
    descriptors = probe.descriptors
    clients[0].close()
    assert clients[3].response().body == b"hello"
    assert probe.descriptors <= descriptors
    for client in clients:
        client.close()


@pytest.mark.parametrize("value", [-1, "many", float("nan")])
def test_a_limit_that_is_none(serve_probe, start_process, interpreter, value):
    """The operator is told at the start, not the client at some request."""
    from standard.probe import Probe

    server = start_process(Probe, interpreter, "probe.py", config={"max_body_size": value})
    outcome = server.wait()
    assert outcome.returncode == 1
    assert "max_body_size" in outcome.stderr or "Error" in outcome.stderr


@pytest.mark.wire
def test_many_small_messages_at_once(serve_bounded):
    """A thread's stack is not the measure of what a client may pipeline."""
    probe = serve_bounded("probe.py", shell="ulimit -s 512")
    with probe.connect() as client:
        client.send(post_chunked("/ignore", chunks(b"", 1)) * 2000)
        for _ in range(2000):
            assert client.response().body == b"ignored"

"""Every timeout in `config`: the answer, the close, and that it does not come early.

That something comes *at last* is what is awaited, for as long
as the suite's patience lasts. The clock is coarse (a quarter of a second), and a deadline may be as
much late, never early.
"""

import time

import pytest
from support import PATIENCE
from support.process import wait_until
from standard.message import post, request, respond

#: The timeout where one is awaited, in seconds.
SHORT = 0.5

#: The timeout where it must not come although the whole takes longer. A client of these tests does
#: something every tenth of a second; only a machine that stands still for this long breaks them.
LONG = 2.0


@pytest.fixture
def impatient(serve_newest, dialect):
    """A server that waits half a second for anything, in either dialect."""
    config = {
        "header_timeout": SHORT,
        "body_timeout": SHORT,
        "write_timeout": SHORT,
        "keep_alive_timeout": SHORT,
        # Else the kernel tells of a silent client only later.
        "tcp_defer_accept": 0,
    }
    return serve_newest("probe.py", config=config, dialect=dialect)


def assert_timed_out(client, began):
    """A 408, not before its time, and the end."""
    answer = client.response()
    assert answer.status == 408
    assert client.read_to_end() == b""
    assert time.monotonic() - began >= SHORT


@pytest.mark.parametrize("sent", [b"G", b"GET / HTTP/1.1\r\n", request("/")[:-2]])
def test_head_that_stops(impatient, sent):
    with impatient.connect() as client:
        began = time.monotonic()
        client.send(sent)
        assert_timed_out(client, began)


def test_silent_client(impatient):
    """Nothing came, nothing is sent: it may be a browser's spare connection."""
    with impatient.connect() as client:
        began = time.monotonic()
        assert client.read_to_end() == b""
        assert time.monotonic() - began >= SHORT


def drip(client, data, pause):
    """A byte at a time, until all is sent or the other end answers or closes."""
    client.socket.settimeout(pause)
    for byte in data:
        client.send(bytes([byte]))
        try:
            client.is_answered()
            break
        except TimeoutError:
            pass
    client.socket.settimeout(PATIENCE)


def test_dripping_head(impatient):
    """The time is for the whole head: each byte does not buy more."""
    with impatient.connect() as client:
        began = time.monotonic()
        drip(client, request("/", headers=[("X", "y" * 1000)]), 0.1)
        assert_timed_out(client, began)


def test_body_that_stops(impatient):
    with impatient.connect() as client:
        began = time.monotonic()
        client.send(request("/echo", "POST", [("Content-Length", "10")], b"hello"))
        assert_timed_out(client, began)


def test_dripping_body(serve_newest, dialect):
    """Every byte of a body does buy more; only the rate, later, does not."""
    probe = serve_newest("probe.py", config={"body_timeout": LONG}, dialect=dialect)
    body = bytes(range(30))
    began = time.monotonic()
    with probe.connect() as client:
        client.send(request("/echo", "POST", [("Content-Length", str(len(body)))]))
        for byte in body:
            time.sleep(0.1)
            client.send(bytes([byte]))
        assert client.response().body == body
    assert time.monotonic() - began > LONG


def test_chunked_body_that_stops(serve_newest):
    """In every state of the decoder."""
    probe = serve_newest("probe.py", config={"body_timeout": SHORT})
    waiting = []
    for sent in b"", b"5", b"5\r\nhel", b"5\r\nhello\r\n", b"0\r\n", b"0\r\nTrail: x":
        client = probe.connect()
        waiting.append((client, time.monotonic()))
        client.send(request("/echo", "POST", [("Transfer-Encoding", "chunked")], sent))
    for client, began in waiting:
        assert_timed_out(client, began)
        client.close()


@pytest.mark.long(5)
def test_idle_connection(serve_newest):
    """Each answer begins the time anew."""
    probe = serve_newest("probe.py", config={"keep_alive_timeout": LONG})
    with probe.connect() as client:
        for _ in range(25):
            client.send(request("/"))
            assert client.response().body == b"hello"
            last = time.monotonic()
            time.sleep(0.1)
        assert client.read_to_end() == b""
        assert time.monotonic() - last >= LONG - 0.1


def test_a_line_end_is_no_head(serve_newest):
    """Old clients send one behind a body (RFC 9112 section 2.2): nothing is answered to it."""
    config = {"header_timeout": SHORT, "keep_alive_timeout": LONG, "tcp_defer_accept": 0}
    probe = serve_newest("probe.py", config=config)
    with probe.connect() as client, probe.connect() as fresh:
        fresh.send(b"\r\n")
        client.send(request("/") + b"\r\n")
        assert client.response().body == b"hello"
        last = time.monotonic()
        assert fresh.read_to_end() == b""
        assert client.read_to_end() == b""
        assert time.monotonic() - last >= LONG - 0.1
    with probe.connect() as client:
        client.send(request("/") + b"\r\n")
        assert client.response().body == b"hello"
        client.send(request("/"))
        assert client.response().body == b"hello"


def test_second_head_that_stops(serve_newest):
    """On a persistent connection the time counts from the head's first byte."""
    probe = serve_newest("probe.py", config={"header_timeout": SHORT})
    with probe.connect() as client:
        client.send(request("/"))
        assert client.response().body == b"hello"
        time.sleep(SHORT * 1.5)
        began = time.monotonic()
        client.send(b"GET / HT")
        assert_timed_out(client, began)


def test_second_head_behind_the_first(serve_newest):
    """The same where both came in one packet."""
    probe = serve_newest("probe.py", config={"header_timeout": SHORT})
    with probe.connect() as client:
        began = time.monotonic()
        client.send(request("/") + b"GET / HT")
        assert client.response().body == b"hello"
        assert_timed_out(client, began)


@pytest.mark.parametrize("framed", ["length", "chunked"])
def test_head_behind_a_body(serve_newest, framed):
    """The head's own time counts, neither what the body had nor what it had left."""
    config = {"header_timeout": SHORT, "body_timeout": 3600, "body_min_rate": 0}
    probe = serve_newest("probe.py", config=config)
    if framed == "length":
        head, rest = request("/echo", "POST", [("Content-Length", "5")]), b"hello"
    else:
        head = request("/echo", "POST", [("Transfer-Encoding", "chunked")])
        rest = b"5\r\nhello\r\n0\r\n\r\n"
    with probe.connect() as client:
        client.send(head + rest[:2])
        probe.request(request("/"))
        began = time.monotonic()
        client.send(rest[2:] + b"GET / HT")
        assert client.response().body == b"hello"
        assert_timed_out(client, began)


def test_reader_that_stops(impatient, name):
    """The connection is closed, and so is what the application returned."""
    client = impatient.connect(receive_buffer=32768)
    client.send(request(respond(shape="closing", items=[["x", 1 << 20]], times=60, name=name)))
    client.read_until(b"xxx")
    events = impatient.eventually(name, lambda events: "close" in events)
    assert events.count("close") == 1 and "end" not in events
    with pytest.raises((AssertionError, ConnectionError)):
        client.read_exactly(60 << 20)
    client.close()


@pytest.mark.long(5)
@pytest.mark.parametrize("shape", ["list", "generator"])
def test_slow_reader_makes_progress(serve_newest, shape):
    """It takes several times the timeout in all, and never so much at once that the kernel would
    call the socket writable again (a third of a buffer of megabytes); but it does read."""
    probe = serve_newest("probe.py", config={"write_timeout": LONG})
    began = time.monotonic()
    with probe.connect(receive_buffer=100_000) as client:
        client.send(request(respond(shape=shape, items=[["x", 1_000_000]], times=20)))
        data = client.read_until(b"\r\n\r\n")
        for _ in range(45):
            time.sleep(0.1)
            data += client.read_exactly(20_000)
        assert time.monotonic() - began > 2 * LONG
        assert (data + client.read_exactly(19_100_000)).count(b"x") > 19_999_000


def test_lingering_ends(serve_newest):
    """A client that was refused and stays has two seconds, not for ever."""
    probe = serve_newest("probe.py")
    probe.request(request("/"))
    before = probe.descriptors
    clients = [probe.connect() for _ in range(10)]
    for client in clients:
        client.send(b"broken\r\n\r\n")
        assert client.response().status == 400
    wait_until(lambda: probe.descriptors <= before, "the refused clients to be let go")
    for client in clients:
        client.close()


def test_timeouts_of_many(serve_newest):
    """One timer serves all: each connection still has its own deadline."""
    probe = serve_newest("probe.py", config={"header_timeout": SHORT})
    began = time.monotonic()
    clients = []
    for _ in range(10):
        client = probe.connect()
        client.send(b"GET")
        clients.append((client, time.monotonic()))
        time.sleep(0.1)
    for client, sent in clients:
        assert client.response().status == 408
        assert time.monotonic() - sent >= SHORT
        client.close()
    assert time.monotonic() - began >= SHORT


@pytest.mark.slow
@pytest.mark.parametrize("rate, served", [(50, False), (3000, True)])
def test_body_min_rate(serve_newest, rate, served):
    """Never a second of silence, but too little in the long run; the first 20 s are forgiven."""
    probe = serve_newest("probe.py", config={"body_timeout": 5, "body_min_rate": 500})
    with probe.connect() as client:
        began = time.monotonic()
        client.send(request("/digest", "POST", [("Content-Length", str(rate * 25))]))
        client.socket.settimeout(0.5)
        for _ in range(50):
            try:
                client.send(b"x" * (rate // 2))
                client.is_answered()
                break
            except TimeoutError:
                pass
            except (BrokenPipeError, ConnectionResetError):
                break
        client.socket.settimeout(PATIENCE)
        answer = client.response()
        assert time.monotonic() - began >= 19
        assert answer.status == (200 if served else 408)


def test_timeouts_do_not_touch_the_application(impatient):
    """An application may take its time: no timeout is about it."""
    began = time.monotonic()
    # Blocks the server for a second, longer than every timeout.
    answer = impatient.request(post("/sleep?1", b"body"))
    assert answer.body == b"slept"
    assert time.monotonic() - began >= 1

"""Bad input and faulty applications: the right answer or a closed connection, and life goes on.

Every test ends by asking the same server something ordinary, so a crash, a stuck server or a lost
connection fails whichever test caused it; in the end each server must stop in order.
"""

import json
import random
import signal

import pytest
from support.process import wait_until
from support.server import Server

BODY_OF_LARGE = 160 * 65536

#: What the standard dialect must answer, RFC 9112 and the project's limits.
REFUSED_BY_STANDARD = {
    b"\x00\x01\x02\x03\r\n\r\n": 400,
    b"GET\r\n\r\n": 400,
    b"GET /\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n": 400,
    b"GET / HTTP/1.1\nHost: a\n\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n": 501,
    b"POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n": 400,
    b"GET / HTTP/2.0\r\nHost: a\r\n\r\n": 505,
    b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n": 414,
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70000 + b"\r\n\r\n": 431,
    b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 200 + b"\r\n": 431,
}

#: What the legacy dialect must answer; None is a connection that is closed without a word.
REFUSED_BY_LEGACY = {
    b"\r\n\r\n\r\n\r\n": (None, 501),
    b"\x00\x01\x02\x03\r\n\r\n": (500, 501),
    b"GET\r\n\r\n": (500, 501),
    b"GET /\r\n\r\n": (500, 501),
    b"GET / H\r\n\r\n": (500, 501),
    b"PROPFIND / HTTP/1.0\r\n\r\n": (501,),
    b"get /count HTTP/1.0\r\n\r\n": (501,),
    b"GET /nowhere HTTP/1.0\r\n\r\n": (500,),
    b"POST /upload HTTP/1.0\r\n\r\n": (411,),
    b"GET /" + b"x" * (1 << 20) + b" HTTP/1.0\r\n\r\n": (414, 431),
    b"GET / HTTP/1.0\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\n": (431,),
    b"GET / HTTP/1.0\r\n" + b"X: y\r\n" * 1100 + b"\r\n": (431,),
}


@pytest.fixture
def server(serve, dialect):
    """The faulty applications in each dialect."""
    return serve("faults.py", dialect=dialect)


def assert_serves(server):
    """An ordinary request is answered."""
    answer = server.get("/count")
    assert answer.status == 200
    return json.loads(answer.body)


def answer_to(server, target):
    """All bytes of the answer to a GET, whether they are HTTP or not."""
    lines = [f"GET {target} HTTP/1.1", "Host: test", "Connection: close", "", ""]
    return server.exchange("\r\n".join(lines).encode())


def shown(request):
    """A test id for a request's bytes."""
    return request[:60].decode("latin-1").encode("unicode_escape").decode()


@pytest.fixture(scope="module")
def servers(interpreter, tmp_path_factory):
    """`servers(dialect)`: one for all malformed requests, each of which must leave it alive."""
    running = {}

    def get(dialect):
        server = running.get(dialect)
        if not server or not server.alive:  # the test that broke it has failed
            folder = tmp_path_factory.mktemp(dialect)
            server = running[dialect] = Server(interpreter, "faults.py", folder, dialect).start()
        return server

    yield get
    for server in running.values():
        server.stop().check()


@pytest.mark.wire
@pytest.mark.parametrize("request_bytes", REFUSED_BY_STANDARD, ids=shown)
def test_standard_refuses(servers, request_bytes):
    server = servers("standard")
    with server.connect() as client:
        client.send(request_bytes)
        answer = client.response()
        assert answer.status == REFUSED_BY_STANDARD[request_bytes]
        assert answer.header("Connection") == "close"
        assert answer.header("Content-Type").startswith("text/plain")
        assert client.at_end()
    assert_serves(server)


@pytest.mark.wire
@pytest.mark.parametrize("request_bytes", REFUSED_BY_LEGACY, ids=shown)
def test_legacy_refuses(servers, request_bytes):
    server = servers("legacy")
    with server.connect() as client:
        client.send(request_bytes)
        client.half_close()
        if client.at_end():
            status = None
        else:
            answer = client.response()
            assert answer.version == "HTTP/1.0"
            status = answer.status
    assert status in REFUSED_BY_LEGACY[request_bytes]
    assert_serves(server)


@pytest.mark.wire
def test_garbage(server):
    # Seeded: a failure can be had again.
    source = random.Random(2009)
    words = [b"GET", b" ", b"/", b"HTTP/1.1", b"\r\n", b"\r", b"\n", b":", b"Host", b"\0", b"%"]
    words += [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"\xff", b"0", b"\r\n\r\n"]
    for _ in range(200):
        request = b"".join(source.choices(words, k=source.randrange(1, 30)))
        with server.connect() as client:
            client.send(request)
            client.half_close()
            answer = client.read_to_end()
            assert answer == b"" or answer.startswith(b"HTTP/1."), request
    assert_serves(server)


REQUEST = (
    b"POST /upload HTTP/1.1\r\nHost: test\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 10\r\nConnection: close\r\n\r\n0123456789"
)


@pytest.mark.wire
@pytest.mark.parametrize("way", ["half_close", "close", "reset"])
def test_a_client_that_leaves_at_any_point_of_its_request(server, way):
    assert_serves(server)
    before = server.descriptors
    for length in range(len(REQUEST)):
        client = server.connect()
        client.send(REQUEST[:length])
        getattr(client, way)()
        if way == "half_close":
            # A body or a head that was cut short never reaches the application.
            assert b"200 OK" not in client.read_to_end(), length
            client.close()
    assert server.request(REQUEST).body == b"10"
    wait_until(lambda: server.descriptors <= before, "connections to be closed")


@pytest.mark.parametrize("target", ["/large", "/list"])
@pytest.mark.parametrize("way", ["close", "reset"])
def test_a_client_that_leaves_while_it_is_answered(server, target, way):
    assert_serves(server)
    before = server.descriptors
    # One byte at least: a reset takes a request away that was not read yet.
    for length in [1, 2, 100, 70000, 1 << 20]:
        client = server.connect()
        client.send(f"GET {target} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        client.read_exactly(length)
        getattr(client, way)()
    wait_until(lambda: server.descriptors <= before, "connections to be closed")
    if target == "/large":
        # The first count may have had a descriptor that was about to close: count the results too.
        wait_until(lambda: assert_serves(server) == {"large": 5}, "five results to be closed")
    assert len(server.get(target).body) == BODY_OF_LARGE


@pytest.mark.parametrize("target", ["/before", "/after", "/first", "/interrupt"])
def test_an_application_that_raises(server, dialect, target):
    answer = server.get(target)
    assert answer.status == 500
    if dialect == "legacy":
        assert answer.reason == "Not found"
        assert answer.header("Content-Type") == "text/html"
        assert "Traceback" in server.stdout
    else:
        assert answer.header("Content-Type").startswith("text/plain")
        assert b"Traceback" not in answer.body
        assert "Traceback" in server.stderr
    closed = assert_serves(server)
    assert closed == ({"first": 1} if target == "/first" else {})


def test_system_exit(server, dialect):
    assert server.get("/leave").status == 500
    if dialect == "legacy":
        # Programs of the original have such a URL.
        assert server.wait().returncode == 7
    else:
        assert_serves(server)


@pytest.mark.parametrize("target", ["/middle", "/odd-item"])
def test_an_iterator_that_fails_in_the_middle(server, dialect, target):
    head, _, body = answer_to(server, target).partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"200"
    assert b"begun" in body and b"never" not in body
    # A chunked body that broke must not look whole.
    assert not body.endswith(b"0\r\n\r\n")
    closed = assert_serves(server)
    assert closed == {target[1:]: 1}


@pytest.mark.parametrize("target", ["/none", "/number"])
def test_a_result_that_is_none(server, dialect, target):
    assert_serves(server)  # and has printed what it prints at first
    lines = len(server.stdout.splitlines())
    answer = server.get(target)
    if dialect == "legacy":
        assert (answer.status, answer.body) == (200, b"")
        # A line that says so.
        assert len(server.stdout.splitlines()) == lines + 1
    else:
        assert answer.status == 500
    assert_serves(server)


def test_list_items_that_are_no_bytes(server, dialect):
    answer = server.get("/mixed")
    if dialect == "legacy":
        assert answer.body == b"onethree"
        assert "The item 1 of your list is not a string!!!!  It will be skipped" in server.stdout
        assert "The item 2 of your list is not a string!!!!  It will be skipped" in server.stdout
    else:
        assert answer.status == 500
    assert_serves(server)


def test_a_close_that_raises(server):
    answer = server.get("/close")
    assert (answer.status, answer.body) == (200, b"all is well")
    assert assert_serves(server) == {"failing-close": 1}


def test_a_header_that_would_split_the_response(server):
    answer = server.get("/split")
    assert answer.status == 500
    assert answer.header("Evil") is None
    assert b"Evil: yes" not in answer.head
    assert_serves(server)


def test_faults_leak_nothing(server, dialect):
    targets = ["/before", "/after", "/first", "/middle", "/none", "/close", "/split", "/nowhere"]

    def rounds(number):
        for _ in range(number):
            for target in targets:
                answer_to(server, target)
            server.exchange(b"\0garbage\r\n\r\n")
        assert_serves(server)
        return server.resident_kib, server.descriptors

    # The first rounds fill caches: types, code, the allocator's arenas.
    rounds(50)
    memory, descriptors = rounds(1)
    later_memory, _ = rounds(300)
    wait_until(lambda: server.descriptors <= descriptors, "connections to be closed")
    # 2,700 faulty requests; a leaked connection or traceback is above a kilobyte.
    assert later_memory - memory < 1024, "KiB"


def test_a_signal_while_requests_are_under_way(serve, dialect):
    # With deferred accepts the kernel keeps a client that sends nothing to itself, and tells it
    # nothing when the server ends.
    settings = {"graceful_timeout": 1, "tcp_defer_accept": False}
    server = serve("faults.py", dialect=dialect, config=settings)
    clients = [server.connect() for _ in range(5)]
    for number, client in enumerate(clients):
        client.send(REQUEST[: len(REQUEST) * number // len(clients)])
    assert_serves(server)
    server.stop(signal.SIGTERM).check()
    for client in clients:
        assert b"200 OK" not in client.read_to_end()
        client.close()

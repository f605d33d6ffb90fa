"""Nothing is kept of a request: objects, memory and descriptors after thousands of each kind.

Each kind is asked for some hundred times first, so that caches and buffers have their size; then
the interpreter's own count of blocks and objects must stay where it is, request for request.
"""

import json

import pytest
from support.process import wait_until
from standard.message import chunks, plan, post, post_chunked, request, respond
from standard.probe import shared

#: How many requests of a kind are asked for: pipelined, and one a connection.
AMOUNTS = [
    pytest.param((2000, 500), id="some"),
    pytest.param((10_000, 10_000), id="many", marks=pytest.mark.slow),
]
BATCH = 100

ITEMS = ["ab", "", "cd"]
FORM = [("Content-Type", "application/x-www-form-urlencoded")]

#: Pipelined on one connection: (raw request, method).
KINDS = {
    "hello": (request("/"), "GET"),
    "environ": (request("/environ/%41?a=1&a=2", headers=[("Cookie", "a=b")] * 3), "GET"),
    "head": (request("/", "HEAD"), "HEAD"),
    "options": (request("*", "OPTIONS"), "OPTIONS"),
    "list": (request(respond(shape="list", items=ITEMS)), "GET"),
    "tuple": (request(respond(shape="tuple", items=ITEMS)), "GET"),
    "generator": (request(respond(items=ITEMS)), "GET"),
    "generator-head": (request(respond(items=ITEMS), "HEAD"), "HEAD"),
    "closing": (request(respond(shape="closing", items=ITEMS)), "GET"),
    "closing-list": (request(respond(shape="closing-list", items=ITEMS)), "GET"),
    "empty": (request(respond(shape="empty-iterator", status="204 No Content")), "GET"),
    "cut": (request(respond(items=ITEMS, headers=[["Content-Length", "3"]])), "GET"),
    "write": (request("/write-exact"), "GET"),
    "twice": (request("/twice"), "GET"),
    "exc-info": (request("/replace"), "GET"),
    "refused-header": (request(plan("/call", headers=[["A\r\n", "b"]])), "GET"),
    "form": (post("/environ", b"a=1&b=%20&a=2", FORM), "POST"),
    "echo": (post("/echo?how=readline", b"a\nb\nc"), "POST"),
    "ignored-body": (post("/ignore", b"x" * 100), "POST"),
    "chunked": (post_chunked("/echo?how=iterate", chunks(b"hello\nworld", 3, b"A: b\r\n")), "POST"),
    "expect": (post("/echo", b"hello", [("Expect", "100-continue")]), "POST"),
    "buffers": (request("/buffers"), "GET"),
}

#: One a connection, which ends with it; fewer of them, as each costs more.
ENDING = {
    "close": request("/", headers=[("Connection", "close")]),
    "http-1.0": request(respond(items=ITEMS), version="HTTP/1.0"),
    "bad-request": b"GET / HTTP/1.1\r\nbroken\r\n\r\n",
    "no-host": b"GET / HTTP/1.1\r\n\r\n",
    "bad-chunk": post_chunked("/echo", b"5\r\nhello\r\nx\r\n"),
    "too-large": request("/echo", "POST", [("Content-Length", "99999999999")]),
    "half-body": request("/echo", "POST", [("Content-Length", "10")], b"half"),
    "failing-call": request(respond(fail="call")),
    "failing-first": request(respond(items=ITEMS, fail=0)),
    "failing-later": request(respond(items=ITEMS, fail=2)),
    "failing-close": request(respond(shape="closing", fail="close"), version="HTTP/1.0"),
    "exit": request(respond(fail="call", raises="SystemExit")),
    "not-started": request(respond(start="never", items=ITEMS)),
    "no-body": request(respond(shape="none")),
    "exc-info-late": request("/replace-too-late"),
    "spooled": post("/digest", b"x" * 70_000, [("Connection", "close")]),
}


def counts(server):
    """Objects and, on Python 3, blocks of the interpreter, after a collection."""
    return json.loads(server.request(request("/objects")).body)


def pipeline(server, raw, method, times):
    with server.connect() as client:
        for _ in range(times // BATCH):
            client.send(raw * BATCH)
            for _ in range(BATCH):
                answer = client.response(method)
                if answer.status == 100:
                    answer = client.response(method)
                assert answer.status != 500, answer


def one_by_one(server, raw, times):
    for _ in range(times):
        with server.connect() as client:
            client.send(raw)
            client.half_close()
            client.read_to_end()


def assert_no_growth(server, ask, times):
    """`ask` for some, count, ask for many, count again.

    A leak grows each time. The interpreter grows once or twice, as it gets to know what it runs.
    """
    ask(300)
    counts(server)
    descriptors, resident = server.descriptors, server.resident_kib
    for _ in range(4):
        before = counts(server)
        ask(times)
        wait_until(lambda: server.descriptors <= descriptors, "all connections to be closed")
        after = counts(server)
        grown = {key: after[key] - before[key] for key in before}
        if all(growth < times // 20 for growth in grown.values()):
            break
    else:
        pytest.fail(f"it grows each time, the last time by {grown}")
    # What is leaked outside of the interpreter's heap shows here.
    assert server.resident_kib - resident < max(1000, times // 5), "resident memory grows"


@pytest.mark.parametrize("amounts", AMOUNTS)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_on_one_connection(shared_leaks, kind, amounts):
    raw, method = KINDS[kind]
    assert_no_growth(shared_leaks, lambda n: pipeline(shared_leaks, raw, method, n), amounts[0])


@pytest.mark.parametrize("amounts", AMOUNTS)
@pytest.mark.parametrize("kind", sorted(ENDING))
def test_one_a_connection(shared_leaks, kind, amounts):
    raw = ENDING[kind]
    assert_no_growth(shared_leaks, lambda n: one_by_one(shared_leaks, raw, n), amounts[1])


@pytest.mark.parametrize("kind", ["file", "unbuffered", "memory", "reader"])
@pytest.mark.parametrize("wrap", [None, 4096])
def test_files(shared_leaks, kind, wrap, tmp_path):
    path = tmp_path / "content"
    # Without a descriptor to send from, a line is a chunk.
    lines = 50 if (kind, wrap) == ("unbuffered", None) else 2000
    path.write_bytes(b"line\n" * lines)
    options = {} if wrap is None else {"wrap": wrap}
    raw = request(plan("/file", kind=kind, path=str(path), **options))
    assert_no_growth(shared_leaks, lambda n: pipeline(shared_leaks, raw, "GET", n), 1000)


def test_clients_that_vanish(shared_leaks):
    """In the middle of an answer, while the kernel's buffer is full."""
    raw = request(respond(shape="closing", items=[["x", 100_000]], times=100))

    def vanish(times):
        for _ in range(times):
            client = shared_leaks.connect()
            client.send(raw)
            client.read_exactly(10)
            client.reset()

    assert_no_growth(shared_leaks, vanish, 500)


def test_own_classes(serve_probe):
    """The way through the methods of a program's own Environ and Start_response."""
    server = serve_probe("own_base.py")
    server.request(request("/switch"))
    raw = post("/own?a=1", b"body")
    assert_no_growth(server, lambda n: pipeline(server, raw, "POST", n), 2000)


@pytest.fixture(scope="session")
def shared_leaks(interpreter, tmp_path_factory):
    """One server for all kinds: what one kind leaves behind may show in the next one too."""
    with shared(interpreter, "probe.py", tmp_path_factory) as server:
        yield server

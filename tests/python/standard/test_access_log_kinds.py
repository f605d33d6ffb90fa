"""The access log's lines of what is no plain response of one thread in the standard dialect."""

import contextlib
import re

import pytest
from standard.message import request
from support.process import wait_until


@pytest.fixture
def log(tmp_path):
    return tmp_path / "access.log"


@pytest.fixture
def logged(serve_probe, log):
    """`logged(app, pattern, dialect="standard", **config)`: a server with a log in this format."""

    def logged(app, pattern, dialect="standard", **config):
        config = {"access_log": str(log), "access_log_format": pattern, **config}
        return serve_probe(app, config=config, dialect=dialect)

    return logged


def lines(log, count):
    wait_until(lambda: log.read_text().count("\n") >= count, f"{count} lines")
    found = log.read_text().splitlines()
    assert len(found) == count, found
    return found


@pytest.mark.wire
def test_the_servers_own_responses(logged, log):
    server = logged("prefixes.py", "%(m)s %(U)s %(s)s %(B)s", health="/healthy")
    sizes = []
    for method, target in [("GET", "/nowhere"), ("HEAD", "/nowhere"), ("GET", "/healthy")]:
        sizes.append(len(server.request(request(target, method), method).body))
    sizes.append(len(server.request(request("*", "OPTIONS")).body))
    assert lines(log, 4) == [
        f"GET /nowhere 404 {sizes[0]}", "HEAD /nowhere 404 0", f"GET /healthy 200 {sizes[2]}",
        f"OPTIONS * 200 {sizes[3]}",
    ]


@pytest.mark.wire
def test_an_uploads_end_that_does_not_come(logged, log):
    server = logged("logged.py", "%(s)s %(r)s %(B)s", body_timeout=0.5)
    raw = b"POST /late?x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345"
    body = server.exchange(raw).partition(b"\r\n\r\n")[2]
    assert lines(log, 1) == [f"408 POST /late?x HTTP/1.1 {len(body)}"]


LEGACY = [("/", 200, 5), ("/generator", 200, 6), ("/bytes", 200, 5), ("/long", 200, 300000)]


@pytest.mark.wire
def test_the_legacy_dialect(logged, log):
    server = logged("logged.py", '%(h)s "%(r)s" %(s)s %(B)s %({x-shop}o)s', dialect="legacy")
    for path, _, size in LEGACY:
        assert len(server.request(request(path, version="HTTP/1.0")).body) == size
    failed = server.request(request("/fails", version="HTTP/1.0"))
    # A method that the base module does not have, and no HTTP at all.
    for raw in (b"BREW / HTTP/1.0\r\n\r\n", b"nonsense\r\n\r\n"):
        assert server.exchange(raw)
    found = lines(log, len(LEGACY) + 3)
    for line, (path, status, size) in zip(found, LEGACY, strict=False):
        assert line == f'127.0.0.1 "GET {path} HTTP/1.0" {status} {size} a\\"b'
    assert found[-3] == f'127.0.0.1 "GET /fails HTTP/1.0" 500 {len(failed.body)} -'
    assert re.fullmatch(r'127.0.0.1 "BREW / HTTP/1.0" \d{3} \d+ -', found[-2])
    assert re.fullmatch(r'127.0.0.1 "nonsense" \d{3} \d+ -', found[-1])


@pytest.mark.wire
def test_the_log_changes_nothing_in_the_legacy_dialect(serve_probe, log):
    def answers(**config):
        server = serve_probe("logged.py", dialect="legacy", config=config)
        raw = [request(path, version="HTTP/1.0") for path, _, _ in LEGACY]
        found = [server.exchange(each) for each in raw]
        server.stop().check()
        server.ready.unlink()
        return [re.sub(rb"\r\nDate: [^\r]*", b"", each) for each in found]

    assert answers() == answers(access_log=str(log))


def test_threads_have_a_line_for_each_response_when_it_ends(logged, log, tmp_path, interpreter):
    if interpreter.major == 2:
        pytest.skip("threads need Python 3")
    server = logged("slow.py", "%(U)s %(s)s %(B)s %(D)s %(Q)s", threads=3)
    flags = [tmp_path / name for name in ("first", "second")]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in flags]
        for client, flag, path in zip(clients, flags, ("here", "items"), strict=True):
            client.send(request(f"/{path}?{flag}"))
        clients[1].read_until(b"first")
        assert server.get("/stats").status == 200
        # Those that wait have none yet.
        (line,) = lines(log, 1)
        assert re.fullmatch(r"/stats 200 \d+ \d+ \d+", line)
        for client, flag in zip(clients, flags, strict=True):
            flag.touch()
            client.read_until(b"here" if flag is flags[0] else b"last")
    found = dict(line.split(" ", 1) for line in lines(log, 3))
    assert re.fullmatch(r"200 4 \d+ \d+", found["/here"])
    assert re.fullmatch(r"200 9 \d+ \d+", found["/items"])


@pytest.mark.wire
def test_a_descriptor_that_the_program_closes_costs_lines_alone(logged, log, tmp_path):
    """The log has one of its own; the program's number may be anybody's then."""
    server = logged("logged.py", "%(U)s", access_log=2)
    assert server.get("/one").status == 200
    server.wait_for_output("/one", "stderr")

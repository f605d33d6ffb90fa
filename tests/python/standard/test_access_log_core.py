"""The core's access log: a line for each response, which changes nothing of any."""

import contextlib
import json
import os
import re
import signal
import socket

import pytest
from standard.message import chunk, request
from support import APPS
from support.process import wait_until

FILE = len((APPS / "standard" / "logged.py").read_bytes())


class Log:
    """A server with an access log; `lines` waits for as many as there have to be."""

    def __init__(self, serve_probe, folder, pattern=None, **config):
        self.path = folder / "access.log"
        if pattern is not None:
            config["access_log_format"] = pattern
        config.setdefault("access_log", str(self.path))
        self.server = serve_probe("logged.py", config=config)

    def lines(self, count):
        def written():
            lines = self.path.read_bytes().decode("latin-1").splitlines()
            return lines if len(lines) >= count else None

        lines = wait_until(written, f"{count} lines")
        assert len(lines) == count, lines
        return lines


@pytest.fixture
def logged(serve_probe, tmp_path):
    def logged(pattern=None, **config):
        return Log(serve_probe, tmp_path, pattern, **config)

    return logged


def test_the_combined_format(logged):
    log = logged()
    log.server.get("/a%20b?q=1", 'Referer: http://x/"', "User-Agent: me\xe9")
    (line,) = log.lines(1)
    assert re.fullmatch(
        r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] '
        r'"GET /a%20b\?q=1 HTTP/1\.1" 200 5 "http://x/\\"" "me\\xe9"',
        line,
    )


EVERY = (
    "%(h)s|%(l)s|%(u)s|%(r)s|%(m)s|%(U)s|%(q)s|%(H)s|%(s)s|%(st)s|%(B)s|%(b)s|%(f)s|%(a)s|"
    "%({x-A}i)s|%({x-shop}o)s|%({X-None}i)s|%({logged.user}e)s|%({logged_number}e)s|"
    "%({wsgi.url_scheme}e)s|%({no}e)s|100%%"
)


@pytest.mark.wire
@pytest.mark.parametrize(
    "path, status, size",
    [
        ("/", "200|Fine So Far", 5),
        ("/generator", "200|Fine So Far", 6),
        ("/broken", "200|Fine So Far", 3),
        ("/writes", "200|Fine So Far", 11),
        ("/bytes", "200|Fine So Far", 5),
        ("/bytearray", "200|Fine So Far", 5),
        ("/reader", "200|Fine So Far", 5),
        ("/file", "200|Fine So Far", FILE),
        ("/long", "200|Fine So Far", 300000),
        ("/empty", "204|No Content", 0),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_atoms(logged, path, status, size, method):
    log = logged(EVERY)
    headers = [
        ("User-Agent", "tester"), ("X-a", "1"), ("x-A", "2"),
        ("Authorization", "Basic YWRhOnNlY3JldA=="), ("Connection", "close"),
    ]
    log.server.exchange(request(path + "?q=%22", method, headers))
    size = 0 if method == "HEAD" else size
    assert log.lines(1) == [
        f"127.0.0.1|-|ada|{method} {path}?q=%22 HTTP/1.1|{method}|{path}|q=%22|HTTP/1.1|{status}|"
        f'{size}|{size}|-|tester|2|a\\"b|-|a\\"b|7|http|-|100%'
    ]


@pytest.mark.wire
def test_the_times_and_the_process(logged):
    log = logged("%(T)s %(D)s %(M)s %(L)s %(Q)s %(p)s")
    log.server.get()
    (line,) = log.lines(1)
    found = re.fullmatch(r"(\d+) (\d+) (\d+) (\d+)\.(\d{6}) \d+ <(\d+)>", line)
    seconds, micros, millis, whole, fraction, process = map(int, found.groups())
    assert seconds == micros // 1000000 and millis == micros // 1000
    assert whole * 1000000 + fraction == micros
    assert process == log.server.pid


def test_failures_have_a_line_with_what_was_sent(logged):
    log = logged("%(r)s %(s)s %(B)s %({logged.user}e)s %({content-length}o)s")
    answer = log.server.get("/fails")
    size = len(answer.body)
    assert size and log.lines(1) == [f'GET /fails HTTP/1.1 500 {size} a\\"b {size}']


@pytest.mark.wire
@pytest.mark.parametrize(
    "raw, status, line",
    [
        (b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400, r'GET /\x01 HTTP/1.1'),
        (b"\x16\x03\x01\x02\"\\", 400, r'\x16\x03\x01\x02\"\\'),
        (b"GET /%b HTTP/1.1\r\n\r\n" % (b"x" * 9000), 414, "GET /" + "x" * 8185),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: %b\r\n\r\n" % (b"x" * 70000), 431, "GET / HTTP/1.1"),
        (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "GET / HTTP/3.0"),
        (
            b"POST /late HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            + chunk(b"x" * 100000) + b"zz\r\n",
            400, "POST /late HTTP/1.1",
        ),
        (
            b"POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n",
            413, "POST /big HTTP/1.1",
        ),
    ],
    ids=["400", "TLS", "414", "431", "505", "chunk", "413"],
)
def test_what_is_rejected_has_a_line_as_far_as_it_came(logged, raw, status, line):
    log = logged("%(s)s %(h)s %(D)s %(r)s")
    answer = log.server.exchange(raw)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    (written,) = log.lines(1)
    assert re.fullmatch(r"%d 127\.0\.0\.1 \d+ (.*)" % status, written).group(1) == line


@pytest.mark.wire
def test_a_request_that_times_out(logged):
    log = logged("%(s)s %(r)s %(m)s %(U)s %(H)s %(B)s", header_timeout=0.5)
    answer = log.server.exchange(b"GET /slo")
    body = answer.partition(b"\r\n\r\n")[2]
    assert log.lines(1) == [f"408 GET /slo GET /slo - {len(body)}"]


@pytest.mark.wire
def test_pipelined_requests_have_their_lines_in_order(logged):
    log = logged("%(U)s %(s)s %(B)s %({x-shop}o)s")
    pieces = [request(path) for path in ["/", "/generator", "/writes", "/empty", "/fails"]]
    with log.server.connect() as client:
        client.send(b"".join(pieces))
        bodies = [len(client.response().body) for _ in range(5)]
    assert log.lines(5) == [
        '/ 200 5 a\\"b', '/generator 200 6 a\\"b', '/writes 200 11 a\\"b', '/empty 204 0 a\\"b',
        f"/fails 500 {bodies[4]} -",
    ]


@pytest.mark.parametrize(
    "path",
    ["/", "/generator", "/writes", "/bytes", "/reader", "/file", "/long", "/empty", "/fails"],
)
def test_it_changes_nothing_of_a_response(serve_probe, tmp_path, path):
    def answer(**config):
        server = serve_probe("logged.py", config=config)
        answers = [
            server.exchange(request(path, method, [("Connection", "close")], version=version))
            for method in ("GET", "HEAD") for version in ("HTTP/1.0", "HTTP/1.1")
        ]
        server.stop().check()
        server.ready.unlink()
        return [re.sub(rb"\r\nDate: [^\r]*", b"", each) for each in answers]

    assert answer() == answer(access_log=str(tmp_path / "a.log"), access_log_format=EVERY)


def test_json_is_what_every_reader_takes(logged):
    log = logged(access_log_json=True)
    raw = b"GET /\"\\?\xe9 HTTP/1.1\r\nHost: a\r\nUser-Agent: \t%b\"\\ x\r\n\r\n"
    log.server.exchange(raw % bytes(range(0x80, 0x100)))
    log.server.get("/?q=1", "User-Agent: a\tb", "Authorization: Basic YWRhOnNlY3JldA==")
    first, second = map(json.loads, log.lines(2))
    assert first["status"] == 400 and first["query"] == "\xe9" and first["path"] == '/"\\'
    assert first["user_agent"] == "".join(map(chr, range(0x80, 0x100))) + '"\\ x'
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", second.pop("time"))
    assert isinstance(second.pop("microseconds"), int)
    assert isinstance(second.pop("waited_microseconds"), int)
    assert second == {
        "client": "127.0.0.1", "user": "ada", "method": "GET", "path": "/", "query": "q=1",
        "protocol": "HTTP/1.1", "status": 200, "bytes": 5, "referer": None, "user_agent": "a\tb",
        "pid": log.server.pid,
    }


@pytest.mark.wire
def test_a_format_chooses_the_members_of_json(logged):
    log = logged("%(s)s %({x-a}i)s %({x-none}i)s", access_log_json=True)
    log.server.get("/", "X-A: \xe9\t")
    assert list(map(json.loads, log.lines(1))) == [
        {"status": 200, "{x-a}i": "\xe9", "{x-none}i": None}
    ]


@pytest.mark.wire
def test_paths_that_are_skipped(logged):
    log = logged("%(U)s", access_log_skip=["/health", "/generator"])
    for path in ["/health", "/health/x", "/health?x=1", "/generator", "/"]:
        log.server.get(path)
    assert log.lines(2) == ["/health/x", "/"]


@pytest.mark.wire
def test_a_file_of_before_is_continued_and_opened_anew(logged, tmp_path):
    (tmp_path / "access.log").write_text("before\n")
    log = logged("%(U)s")
    log.server.get("/one")
    log.lines(2)
    log.path.rename(tmp_path / "old.log")
    assert log.server.get("/reopen").body == b"None"
    log.server.get("/two")
    wait_until(lambda: "/two" in log.path.read_text(), "a line in the new file")
    assert (tmp_path / "old.log").read_text().splitlines()[:2] == ["before", "/one"]


@pytest.mark.wire
def test_a_relative_file_stays_where_run_found_it(serve_probe, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    server = serve_probe(
        "logged.py", config={"access_log": "a.log", "access_log_format": "%(U)s"},
        env={"LOGGED_FOLDER": str(tmp_path / "elsewhere")},
    )
    server.get("/one")
    found = tmp_path / "elsewhere" / "a.log"
    wait_until(lambda: found.exists() and found.read_text() == "/one\n", "the line")


@pytest.mark.parametrize(
    "config, said",
    [
        ({"access_log": 1.5}, "TypeError: config.access_log must be"),
        ({"access_log": "/nowhere/a.log"}, "config.access_log: No such file or directory"),
        ({"access_log": 987}, "config.access_log: Bad file descriptor"),
        ({"access_log": "-", "access_log_format": "%(x)s"},
         "ValueError: config.access_log_format: there is no atom %(x)s"),
        ({"access_log": "-", "access_log_format": 1},
         "TypeError: config.access_log_format must be"),
        ({"access_log": "-", "access_log_json": "yes"},
         "TypeError: config.access_log_json must be"),
        ({"access_log": "-", "access_log_skip": "/"}, "TypeError: config.access_log_skip must be"),
        ({"access_log": "-", "access_log_skip": [1]}, "TypeError: config.access_log_skip must be"),
    ],
)
def test_settings_that_cannot_be(serve_probe, config, said):
    server = serve_probe("logged.py", config=config)
    outcome = server.wait()
    assert outcome.returncode != 0 and said in outcome.stderr


@pytest.mark.wire
def test_a_pipe_that_nobody_reads_loses_lines_and_counts_them(logged, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    log = logged("%(r)s", access_log=str(tmp_path / "pipe"))
    target = "/?" + "x" * 2500
    with log.server.connect() as client:
        for _ in range(200):  # half a megabyte: no pipe holds as much
            client.send(request(target))
            assert client.response().status == 200
    wait_until(lambda: int(log.server.get("/stats").body) > 0, "lost lines")
    log.server.wait_for_output("lines are lost", "stderr")


@pytest.mark.wire
def test_a_pipe_whose_reader_is_gone_costs_lines_alone(logged, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    log = logged("%(r)s", access_log=str(tmp_path / "pipe"))
    # `run` opens the log: with this reader there, not as its own.
    assert log.server.get("/").status == 200
    os.close(reader)
    wait_until(lambda: int(log.server.get("/stats").body) > 0, "lost lines")


@pytest.mark.wire
def test_a_full_disk_costs_lines_alone(logged):
    log = logged(access_log="/dev/full")
    assert log.server.get("/").status == 200
    wait_until(lambda: int(log.server.get("/stats").body) > 0, "lost lines")


@pytest.mark.wire
def test_an_object_that_a_pipe_would_tear_is_shortened(logged, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        log = logged(access_log=str(tmp_path / "pipe"), access_log_json=True)
        log.server.get("/?" + '"' * 4000)
        read = []

        def line():
            with contextlib.suppress(BlockingIOError):
                read.append(os.read(reader, 65536))
            return b"".join(read).endswith(b"\n")

        wait_until(line, "the line")
    finally:
        os.close(reader)
    whole = b"".join(read)
    assert len(whole) <= 4096 and json.loads(whole)["query"].startswith('"' * 100)


def test_a_client_that_leaves_in_the_middle_has_its_line(logged):
    log = logged("%(U)s %(s)s")
    client = log.server.connect()
    client.send(request("/long") * 50)
    client.socket.recv(1)
    client.reset()
    assert wait_until(lambda: log.path.read_text().splitlines(), "a line")[0] == "/long 200"


@pytest.mark.wire
def test_the_last_lines_are_written_when_the_run_ends(logged):
    log = logged("%(U)s")
    log.server.get("/one")
    log.server.stop().check()
    assert log.path.read_text() == "/one\n"


@pytest.mark.wire
def test_a_worker_that_is_killed_loses_nothing_that_two_looks_saw(logged):
    log = logged("%(U)s")
    log.server.get("/one")
    log.lines(1)
    log.server.send_signal(signal.SIGKILL)
    log.server.wait()
    assert log.path.read_text() == "/one\n"


@pytest.mark.wire
def test_without_a_log_there_is_nothing_to_open_anew(serve_probe):
    assert serve_probe("logged.py").get("/reopen").body == b"None"


@pytest.mark.wire
def test_a_unix_socket_has_no_address(serve_probe, tmp_path):
    path = str(tmp_path / "a.sock")
    log = tmp_path / "a.log"
    serve_probe(
        "logged.py", host=path, port="unix",
        config={"access_log": str(log), "access_log_format": "%(h)s %(r)s"},
    )
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(request("/"))
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        assert wait_until(log.read_text, "the line") == "- GET / HTTP/1.1\n"

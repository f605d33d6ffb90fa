"""The access log: its formats, and what becomes of it when the file is moved away."""

import contextlib
import json
import os
import re
import select
import signal
import socket

import pytest
from command import Command, write
from redirected import Redirected, fill, pipe, stalled_terminal
from support.process import wait_until

pytestmark = pytest.mark.each_major

LOGGED = """
    import io

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/fails":
            raise ValueError
        write = start_response("200 OK", [("Content-Type", "text/plain"), ("X-Shop", 'a"b')])
        if path == "/iterator":
            return iter([b"one", b"two"])
        if path == "/writes":
            write(b"one")
            return [b"three"]
        if path == "/cookie":
            start_response.set_cookie("a", "b")
        return [b"hello"]
"""


@pytest.fixture
def log_of(run_command, home):
    """`log_of(format, target, *headers)`: the lines that a request makes."""
    write(home, logged=LOGGED)

    def log_of(pattern, target, *headers):
        pattern = ["--access-log-format", pattern] if pattern else []
        command = run_command("logged:app", "--access-log", "a.log", *pattern)
        # The one that found it serving.
        known = wait_until((home / "a.log").read_text, "the first line")
        command.get(target, *headers)

        def written():
            return (home / "a.log").read_text()[len(known):]

        wait_until(written, "a line")
        command.stop().check()
        lines = written().splitlines()
        (home / "a.log").unlink()
        return lines

    return log_of


def test_the_combined_format(log_of):
    (line,) = log_of(None, "/a%20b?q=1", "Referer: http://x/\"", "User-Agent: me")
    assert re.fullmatch(
        r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] '
        r'"GET /a%20b\?q=1 HTTP/1\.1" 200 5 "http://x/\\"" "me"',
        line,
    )


@pytest.mark.parametrize(
    "target, line",
    [
        ("/", 'GET /  HTTP/1.1 200 a\\"b - tester ada 100%'),
        ("/iterator?x=1", 'GET /iterator x=1 HTTP/1.1 200 a\\"b - tester ada 100%'),
        ("/writes", 'GET /writes  HTTP/1.1 200 a\\"b - tester ada 100%'),
        ("/cookie", 'GET /cookie  HTTP/1.1 200 a\\"b - tester ada 100%'),
        ("/fails", "GET /fails  HTTP/1.1 500 - - tester ada 100%"),
    ],
)
def test_the_atoms(log_of, target, line):
    pattern = "%(m)s %(U)s %(q)s %(H)s %(s)s %({X-Shop}o)s %({X-None}i)s %(a)s %(u)s 100%%"
    headers = ["User-Agent: tester", "Authorization: Basic YWRhOnNlY3JldA=="]
    assert log_of(pattern, target, *headers) == [line]


@pytest.mark.wire
def test_the_times_and_the_process(log_of):
    (line,) = log_of("%(T)s %(D)s %(M)s %(L)s %(p)s %({wsgi.url_scheme}e)s", "/")
    assert re.fullmatch(r"\d+ \d+ \d+ \d+\.\d{6} <\d+> http", line)


@pytest.mark.parametrize(
    "pattern, said", [("%(x)s", "there is no atom %(x)s"), ("50%", "a % at 2 begins no %(atom)s")]
)
def test_a_format_that_cannot_be(call, pattern, said):
    outcome = call("--check", "hello:app", "--access-log", "-", "--access-log-format", pattern)
    assert said in outcome.check(2).stderr


def test_on_stdout_and_nothing_else(run_command):
    command = run_command("--access-log", "hello:app")
    command.get("/here")
    command.wait_for_output("GET /here HTTP/1.1")
    outcome = command.stop().check()
    assert all(line.startswith("127.0.0.1 - - [") for line in outcome.stdout.splitlines())


@pytest.mark.wire
def test_a_folder_that_was_moved_away(run_command, home):
    (home / "logs").mkdir()
    command = run_command("hello:app", "--access-log", "logs/a.log")
    workers = command.wait_for_workers(1)
    os.rename(home / "logs", home / "old")
    command.send_signal(signal.SIGUSR1)
    command.wait_for_output("--access-log logs/a.log: No such file or directory", "stderr")
    command.get("/later")
    assert command.workers == workers
    wait_until(lambda: "/later" in (home / "old" / "a.log").read_text(), "a line in the old file")


@pytest.mark.wire
def test_a_log_that_is_not_wanted_is_not_opened_anew(run_command, home):
    command = run_command("hello:app", "--workers", 2)
    workers = command.wait_for_workers(2)
    command.send_signal(signal.SIGUSR1)
    for worker in workers:
        os.kill(worker, signal.SIGUSR1)
    assert command.get("/").status == 200
    command.stop().check()
    assert "killed" not in command.stderr and "died" not in command.stderr


@pytest.mark.wire
def test_a_file_stays_where_it_was_when_the_application_changes_the_folder(run_command, home):
    (home / "elsewhere").mkdir()
    write(home, moving="import os\nfrom hello import app\nos.chdir('elsewhere')\n")
    command = run_command("moving:app", "--access-log", "a.log")
    command.get("/here")
    wait_until(lambda: "/here" in (home / "a.log").read_text(), "the line")
    assert not (home / "elsewhere" / "a.log").exists()


def test_what_no_application_sees_has_a_line(run_command, home):
    pattern = ["--access-log-format", "%(s)s %(r)s"]
    command = run_command("hello:app", "--access-log", "a.log", *pattern)
    command.request(b"GET /\x01\r\n\r\n")
    wait_until(lambda: "400 GET /\\x01\n" in (home / "a.log").read_text(), "the line")


def test_objects_of_json_without_the_paths_that_are_skipped(run_command, home):
    command = run_command(
        "hello:app", "--access-log", "a.log", "--access-log-json", "--access-log-skip", "/health"
    )
    command.get("/health")
    command.get("/here")
    wait_until(lambda: "/here" in (home / "a.log").read_text(), "the line")
    paths = [json.loads(line)["path"] for line in (home / "a.log").read_text().splitlines()]
    assert "/health" not in paths and paths[-1] == "/here"


@pytest.mark.wire
@pytest.mark.parametrize("words, logged", [([], False), (["--access-log-skip", ""], True)])
def test_a_health_check_has_a_line_if_that_is_wanted(run_command, home, words, logged):
    command = run_command("hello:app", "--access-log", "a.log", "--health", "/health", *words)
    assert command.get("/health").status == 200
    command.get("/here")
    wait_until(lambda: "GET /here" in (home / "a.log").read_text(), "the line")
    assert ("GET /health" in (home / "a.log").read_text()) == logged


@pytest.mark.wire
@pytest.mark.parametrize("more", [["--bind", "127.0.0.1:0"], ["--check"]])
@pytest.mark.parametrize(
    "name, reason", [("nowhere/a.log", "No such file or directory"), (".", "Is a directory")]
)
def test_a_file_that_cannot_be(call, more, name, reason):
    outcome = call("hello:app", *more, "--access-log", name)
    assert outcome.check(2).stderr == f"fapws: --access-log {name}: {reason}\n"


@pytest.mark.wire
def test_the_check_of_a_pipe_does_not_end_its_reader(call, home):
    os.mkfifo(home / "a.log")
    reader = os.open(home / "a.log", os.O_RDONLY | os.O_NONBLOCK)
    try:
        call("--check", "hello:app", "--access-log", "a.log").check()
        asked = select.poll()
        asked.register(reader)
        assert asked.poll(0) == []
    finally:
        os.close(reader)


@pytest.mark.wire
def test_a_file_that_was_moved_away(run_command, home):
    command = run_command("hello:app", "--workers", 2, "--access-log", "a.log")
    command.wait_for_workers(2)
    os.rename(home / "a.log", home / "old.log")
    command.send_signal(signal.SIGUSR1)
    wait_until((home / "a.log").exists, "the new file")

    def arrives():
        command.get("/later")
        return "/later" in (home / "a.log").read_text()

    wait_until(arrives, "a line in it")


#: More than a pipe takes at once, and within what the server takes as a request line.
LONG = 7000


def ask(command, length):
    """Send more requests than any pipe, terminal or socket has room for the lines of."""
    for _ in range(600000 // length):
        assert command.get("/?" + "x" * length).status == 200


def read_lines(end, count):
    """As many lines of a pipe that does not block, each with its end."""
    read = b""

    def lines():
        nonlocal read
        with contextlib.suppress(BlockingIOError):
            read += os.read(end, 65536)
        lines = read.splitlines(keepends=True)
        return lines if len(lines) >= count and read.endswith(b"\n") else None

    return wait_until(lines, f"{count} lines")


@pytest.mark.wire
@pytest.mark.parametrize("length", [LONG, 2500])
@pytest.mark.parametrize("name", ["-", "pipe"])
def test_a_pipe_that_nobody_reads_costs_no_answer(
    start_process, interpreter, home, name, length
):
    with pipe(home) as end:
        command = start_process(
            Redirected, interpreter, "> pipe", "hello:app", "--workers", "2",
            "--access-log", name, home=home,
        )
        ask(command, length)
        # A page is free, and less than a line fits into it.
        fill(end)
        os.read(end, 4096)
        ask(command, length)
        command.stop().check()


@pytest.mark.wire
def test_a_terminal_that_nobody_reads_costs_no_answer(start_process, interpreter, home):
    with stalled_terminal(home) as redirections:
        command = start_process(
            Redirected, interpreter, redirections, "hello:app", "--access-log", "-", home=home
        )
        ask(command, LONG)
        command.stop().check()


#: Becomes the command, with its stdout connected to a unix socket.
CONNECT = """
    import os, socket, sys
    log = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    log.connect(sys.argv[1])
    os.dup2(log.fileno(), 1)
    os.execv(sys.executable, [sys.executable] + sys.argv[2:])
"""


@pytest.mark.wire
def test_a_socket_that_nobody_reads_costs_no_answer(start_process, interpreter, home):
    class Connected(Command):
        def __init__(self, environment, *arguments, **options):
            super().__init__(environment, *arguments, **options)
            self.command[1:1] = ["connect.py", "log"]

    write(home, connect=CONNECT)
    with socket.socket(socket.AF_UNIX) as journal:
        journal.bind(str(home / "log"))
        journal.listen()
        command = start_process(
            Connected, interpreter, "hello:app", "--access-log", "-", home=home
        )
        ask(command, LONG)
        command.stop().check()


@pytest.mark.wire
def test_a_line_is_cut_where_a_pipe_would_tear_it(start_process, interpreter, home):
    with pipe(home) as end:
        command = start_process(
            Redirected, interpreter, "", "hello:app", "--access-log", "pipe", home=home
        )
        read_lines(end, 1)
        command.get("/?" + "x" * LONG)
        command.get("/short")
        first, second = read_lines(end, 2)
    assert len(first) == 4096
    assert re.fullmatch(rb'127.0.0.1 - - \[.*\] "GET /\?x+\n', first)
    assert b'"GET /short HTTP/1.1" 200' in second


@pytest.mark.wire
def test_a_file_gets_the_whole_line(log_of):
    target = "/?" + "x" * LONG
    assert log_of("%(r)s", target) == [f"GET {target} HTTP/1.1"]


@pytest.mark.wire
def test_a_pipe_that_nobody_has_opened_yet(run_command, home):
    os.mkfifo(home / "a.log")
    command = run_command("hello:app", "--access-log", "a.log")
    end = os.open(home / "a.log", os.O_RDONLY | os.O_NONBLOCK)
    try:
        command.get("/here")
        read = []

        def arrives():
            with contextlib.suppress(BlockingIOError):
                read.append(os.read(end, 65536))
            return b"GET /here HTTP/1.1" in b"".join(read)

        wait_until(arrives, "the line")
    finally:
        os.close(end)

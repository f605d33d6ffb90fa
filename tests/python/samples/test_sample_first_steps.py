"""The samples that show one feature of the core each: hello to http_cmd."""

import os
import pathlib
import re
import socket
import sqlite3
import tempfile
import time
import uuid

import pytest
from program import SAMPLES, Sample
from support.client import Client
from support.process import Process, wait_until

pytestmark = pytest.mark.each_major


def test_hello_answers_whole_and_in_pieces(run_sample, dialect):
    server = run_sample("hello", "hello_world.py")
    hello = server.get("/hello")
    assert (hello.status, hello.body) == (200, b"Hello, world!")
    assert hello.header("Content-Type") == "text/html"
    assert hello.version == ("HTTP/1.0" if dialect == "legacy" else "HTTP/1.1")
    pieces = server.get("/iterhello")
    assert (pieces.status, pieces.body) == (200, b"Hello, world!")
    assert server.get("/elsewhere").status == (500 if dialect == "legacy" else 404)


@pytest.mark.wire
def test_hello_is_not_open_to_the_network(run_sample):
    server = run_sample("hello", "hello_world.py")
    with pytest.raises(ConnectionRefusedError):
        Client(("127.0.0.2", server.address[1]))


#: Those that are about a machine that serves.
OPEN = {"processes", "systemd"}


def test_samples_listen_on_this_machine_alone():
    found = {}
    for program in SAMPLES.glob("*/*.py"):
        for host in re.findall(r'evwsgi\.start\("(\d[\d.]+)"', program.read_text()):
            found[program.parent.name] = host
    assert len(found) > 10
    assert {name for name, host in found.items() if host != "127.0.0.1"} == OPEN


@pytest.fixture
def socket_folder():
    """A folder whose path is short: the kernel takes no more than 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="fapws") as folder:
        yield pathlib.Path(folder)


class UnixSample(Sample):
    """The hello program on a unix socket: a path, or `@` and a name."""

    def __init__(self, environment, path, dialect, folder):
        self.path = str(path)
        name, script = "hello_unixsocket", "hello_world.py"
        super().__init__(environment, name, script, folder, [path], dialect=dialect)

    def find_address(self):
        address = self.path.replace("@", "\0")
        try:
            Client(address).close()
        except OSError:
            return None
        return address


@pytest.mark.wire
@pytest.mark.parametrize("leftover", ["nothing", "a dead server's socket"])
def test_hello_on_a_unix_socket(interpreter, dialect, start_process, socket_folder, leftover):
    path = socket_folder / "hello.sock"
    if leftover != "nothing":
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(os.fspath(path))
    server = start_process(UnixSample, interpreter, path, dialect)
    assert server.get("/hello").body == b"Hello from a socket in the file system!"


@pytest.mark.wire
def test_hello_does_not_remove_a_file_that_is_no_socket(
    interpreter, start_process, socket_folder
):
    path = socket_folder / "precious"
    path.write_text("mine")
    script = SAMPLES / "hello_unixsocket" / "hello_world.py"
    outcome = start_process(Process, [interpreter.python, script, path]).wait().check(1)
    assert "failed to bind" in outcome.stderr
    assert path.read_text() == "mine"


@pytest.mark.wire
def test_hello_on_an_abstract_socket(interpreter, dialect, start_process):
    name = f"@fapws-sample-{uuid.uuid4()}"
    server = start_process(UnixSample, interpreter, name, dialect)
    assert server.get("/hello").status == 200


def test_iter_makes_long_answers_piece_by_piece(run_sample):
    server = run_sample("iter", "run.py")
    assert server.get("/squares?to=3").body == b"1 1\n2 4\n3 9\n"
    lines = server.get("/squares?to=10001").body.splitlines()
    assert (len(lines), lines[-1]) == (10001, b"10001 100020001")
    assert server.get("/squares?to=nine").status == 400


def test_iter_chooses_the_status_with_the_first_piece(run_sample):
    missing = run_sample("iter", "run.py").get("/missing")
    assert missing.status == 404
    assert missing.body == b"There is nothing here,\nand it took two pieces to say so.\n"


def test_iter_closes_what_a_client_left(run_sample):
    server = run_sample("iter", "run.py")
    with server.connect() as client:
        client.send(b"GET /squares?to=9999999 HTTP/1.1\r\nHost: test\r\n\r\n")
        client.read_until(b"\n2 4\n")
        assert server.get("/open").body == b"1"
        client.reset()
    wait_until(lambda: server.get("/open").body == b"0", "the iterator to be closed")


def test_defer_commits_after_the_answers(run_sample):
    server = run_sample("defer", "run.py")
    answers = [server.get("/visit/home").body for _ in range(20)]
    assert answers[-1] == b"visits of home: 20\n"
    assert server.get("/visit/no%20name").status == 404

    def status():
        lines = server.get("/status").body.decode().splitlines()
        return {name: int(number) for name, number in (line.split(": ") for line in lines)}

    wait_until(lambda: status()["queued"] == 0, "the deferred calls")
    done = status()
    assert done["log lines"] == 20
    assert 1 <= done["commits"] <= 20
    database = sqlite3.connect(server.home / "visits.db")
    assert database.execute("SELECT * FROM visits").fetchall() == [("home", 20)]
    database.close()
    assert (server.home / "visits.log").read_text() == "home\n" * 20


@pytest.mark.wire
def test_timers_tick_pause_resume_and_end(run_sample):
    server = run_sample("timers", "run.py")

    def ticks():
        return int(server.get("/status").body.split()[1])

    wait_until(lambda: ticks() >= 2, "two ticks")
    wait_until(lambda: b"lift-off" in server.get("/status").body, "the countdown")
    assert server.get("/pause").body == b"paused\n"
    paused_at = ticks()
    time.sleep(1.2)
    assert ticks() == paused_at
    assert server.get("/resume").body == b"ticking again\n"
    wait_until(lambda: ticks() > paused_at, "a tick after the pause")


def test_trace_echoes_the_request_without_its_secrets(run_sample):
    server = run_sample("http_cmd", "run.py")
    answer = server.send("TRACE", "/slow?a=b", "Cookie: secret=1", "AUTHORIZATION: x", "X-Seen: 1")
    assert (answer.status, answer.header("Content-Type")) == (200, "message/http")
    assert answer.body.splitlines() == [
        b"TRACE /slow?a=b HTTP/1.1",
        b"Host: localhost",
        b"Connection: close",
        b"X-Seen: 1",
        b"",
    ]


def test_purge_empties_what_get_filled(run_sample, dialect):
    server = run_sample("http_cmd", "run.py")
    first = server.get("/slow").body
    assert server.get("/slow").body == first
    assert server.send("PURGE", "/slow").body == b"purged"
    assert server.send("PURGE", "/slow").body == b"nothing to purge"
    assert server.get("/slow").body != first
    assert server.send("BREW", "/slow").status == (501 if dialect == "legacy" else 200)


def test_every_sample_stands_in_the_readme():
    folders = {path.name for path in SAMPLES.iterdir() if path.is_dir()}
    told = (SAMPLES / "README.md").read_text()
    assert {name for name in folders if f"`{name}`" not in told} == set()

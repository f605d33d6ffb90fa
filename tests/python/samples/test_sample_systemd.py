"""The systemd sample: its units, and its program started by the real socket activation."""

import contextlib
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile

import pytest
from program import SAMPLES, Sample
from support import PATIENCE
from support.client import Client

pytestmark = pytest.mark.wire

UNITS = ["fapws.service", "fapws.socket"]


def find(program):
    return shutil.which(program) or pytest.skip(f"no {program} on this machine")


def test_the_units_are_right(tmp_path):
    analyze = find("systemd-analyze")
    for name in UNITS:
        text = (SAMPLES / "systemd" / name).read_text()
        # The one path that must exist, wherever this machine has its Python.
        (tmp_path / name).write_text(text.replace("/usr/bin/python3", sys.executable))
    answer = subprocess.run(
        [analyze, "verify", "--man=no", *(tmp_path / name for name in UNITS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    complaints = [line for line in answer.stdout.splitlines() if "fapws" in line]
    assert (answer.returncode, complaints) == (0, [])


class Activated(Sample):
    """The sample behind systemd-socket-activate, which starts it at the first connection."""

    def __init__(self, environment, path, folder, env):
        super().__init__(environment, "systemd", "run.py", folder, arguments=[])
        self.path = str(path)
        # It hands over no variable that is not named.
        passed = [word for pair in {**self.env, **env}.items() for word in ("-E", "=".join(pair))]
        command = [find("systemd-socket-activate"), "-l", self.path, *passed, *self.command]
        self.command = command

    def find_address(self):
        # It must not be asked by a connection, which would start the program.
        return self.path if f"Listening on {self.path}" in self.stderr else None


@pytest.fixture
def folder():
    """A folder whose path is short: the kernel takes no more than 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="fapws") as path:
        yield pathlib.Path(path)


@pytest.fixture
def notified(folder):
    """A socket that listens for a unit's words, as systemd's does."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listener:
        listener.settimeout(PATIENCE)
        listener.bind(str(folder / "notify"))
        yield listener


def test_activation_words_of_life_and_the_end(interpreter, start_process, folder, notified):
    env = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "300000"}
    server = start_process(Activated, interpreter, folder / "unit.sock", env=env)
    assert server.get("/").body == b"Hello from a unit!\n"
    assert notified.recv(100) == b"READY=1"
    assert [notified.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    server.stop().check()
    words = notified.recv(100)
    while words == b"WATCHDOG=1":
        words = notified.recv(100)
    assert words == b"STOPPING=1"


def test_connections_that_came_before_the_program_are_served(interpreter, start_process, folder):
    server = start_process(Activated, interpreter, folder / "unit.sock", env={})
    clients = [Client(server.address) for _ in range(10)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert {client.response().status for client in clients} == {200}
    for client in clients:
        client.close()


def test_the_program_runs_by_hand_too(interpreter, start_process):
    server = start_process(Sample, interpreter, "systemd", "run.py")
    assert server.get("/").body == b"Hello from a unit!\n"


def test_the_units_agree_with_the_program():
    text = (SAMPLES / "systemd" / "fapws.service").read_text()
    assert re.search(r"^ExecStart=\S+ /srv/fapws/run\.py$", text, re.MULTILINE)
    assert "/srv/fapws" in (SAMPLES / "systemd" / "run.py").read_text()

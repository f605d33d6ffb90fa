"""Programs that serve: a sample run from its own folder with one command, and any other.

The folder is copied first, so that what the sample writes stays with the test. A sample on TCP gets
port 0, and the kernel is asked for the port it listens on: no test has to guess a free one.
"""

import os
import pathlib
import shutil
import signal

from support import ROOT
from support.process import wait_until
from support.server import Listening

SAMPLES = ROOT / "sample"

#: The state of a listening socket in /proc/net/tcp.
LISTEN = "0A"


class Program(Listening):
    """A program that serves, found by the port it listens on.

    `library` is a folder of distributions that it needs.
    """

    def __init__(self, command, folder, dialect=None, library=None, cwd=None):
        env = {"FAPWS_DIALECT": dialect} if dialect else {}
        if library:
            env["PYTHONPATH"] = str(library)
        super().__init__(command, folder, env, cwd=cwd)

    def start(self):
        """Run the program and wait until it listens; returns self."""
        super().start()
        found = wait_until(
            lambda: not self.alive or self.find_address(), f"{self.command} to listen"
        )
        if not self.alive:
            raise AssertionError(f"did not start: {self.command}\n{self.stdout}\n{self.stderr}")
        self.address = found
        return self

    def find_address(self):
        """Where the program listens, or None when it does not yet."""
        # It listens by the time it is in `run`. The kernel's table takes long to read, the more so
        # the more connections the machine has had in the last minute.
        port = self.catches(signal.SIGTERM) and listening_port(self.pid)
        return port and ("127.0.0.1", port)

    def send(self, method, target, *headers, body=b""):
        """Any request, with more header lines as text, on a new connection; returns the answer."""
        # Django answers to this name.
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([*lines, "", ""])
        return self.request(head.encode("latin-1") + body, method)

    def get(self, target, *headers):
        """A GET request."""
        return self.send("GET", target, *headers)

    def post(self, target, body, *headers):
        """A POST request."""
        return self.send("POST", target, *headers, body=body)


class Sample(Program):
    """The sample `name`, its `script` run with `arguments` on the package of `environment`.

    `patches` are replacements in the copied script, each of a text that must be there. The other
    options are those of `Program`.
    """

    def __init__(
        self, environment, name, script, folder, arguments=("0",), patches=(), **options
    ):
        self.home = pathlib.Path(folder) / name
        shutil.copytree(SAMPLES / name, self.home, ignore=_artefacts)
        for old, new in patches:
            _replace(self.home / script, old, new)
        command = [environment.python, script, *arguments]
        super().__init__(command, folder, cwd=self.home, **options)


def listening_port(pid):
    """The port of the first TCP socket over IPv4 that the process listens on, or None."""
    mine = set()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            mine.add(os.readlink(entry.path))
        except FileNotFoundError:
            pass  # closed in the meantime
    table = pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    for fields in map(str.split, table):
        if fields[3] == LISTEN and f"socket:[{fields[9]}]" in mine:
            return int(fields[1].rpartition(":")[2], 16)
    return None


def _artefacts(folder, names):
    """What an earlier run by hand may have left in a sample's folder."""
    return [name for name in names if name.endswith((".db", ".log", ".pyc", "__pycache__"))]


def _replace(path, old, new):
    text = path.read_text()
    assert old in text, f"{path.name} has no {old!r}"
    path.write_text(text.replace(old, new))

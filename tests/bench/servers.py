"""The servers: what each is called, how it is started, and one that runs.

Nothing is installed here (`install`) and nothing measured. Every server is one process with one
thread for the application, pinned to one core with whatever threads and children it has, and runs
with its defaults; an option is given only where a default would make it two processes, log every
request, or end connections that a scenario holds.
"""

import os
import pathlib
import signal
import socket
import subprocess
import time
from dataclasses import dataclass

import accounts
import load

HERE = pathlib.Path(__file__).resolve().parent
APPS = HERE / "apps"
LAUNCH = HERE / "serve.py"
#: Seconds for a server to listen, and to end once asked.
START_PATIENCE, STOP_PATIENCE = 15, 3


class StartError(Exception):
    """The server ended, or did not listen in time; the text is what it printed."""


@dataclass(frozen=True)
class Server:
    """One kind of server. `command` makes its words from the installation, port and scenario."""

    name: str
    command: object
    #: What pip installs it from, word by word; none where it is no peer from the index.
    requirements: tuple = ()
    #: The distribution whose version is told.
    distribution: str = None
    #: The module with the server's machine code, whose import time is told.
    extension: str = None
    legacy: bool = False
    note: str = ""


def launched(function):
    """A command that runs `function` of serve.py on the server's Python."""

    def command(site, port, app):
        return [site.python, LAUNCH, function, port, app]

    return command


def _granian(site, port, app):
    options = ["--interface", "wsgi", "--workers", 1, "--runtime-threads", 1]
    options += [
        "--blocking-threads",
        1,
        "--no-ws",
        "--no-log",
        "--backlog",
        8192,
        "--host",
        "127.0.0.1",
    ]
    return [site.python, "-m", "granian", *options, "--port", port, app]


def _gunicorn(site, port, app):
    # The threaded worker, since the default one closes every connection.
    options = ["--worker-class", "gthread", "--threads", 1, "--keep-alive", 60]
    options += ["--worker-connections", 6000, "--log-level", "error"]
    return [site.python, "-m", "gunicorn", *options, "--bind", f"127.0.0.1:{port}", app]


def _peregrine(site, port, app):
    options = ["--host", "127.0.0.1", "--log-level", "error", "--protocol", "wsgi"]
    options += ["--keep-alive", 60000, "--max-connections", 6000]
    return [pathlib.Path(site.python).with_name("peregrine"), *options, "--port", port, app]


LIMIT = Server("epoll", None, note="bare C loop, the limit of one core")
OURS = Server("fapws", launched("fapws"), extension="fapws._evwsgi")
ORIGINAL = Server("original", launched("fapws_prefix"), legacy=True)
SWAPPED = Server("fapws-2.7", launched("fapws_prefix"), legacy=True)

PEERS = [
    Server("bjoern", launched("bjoern"), ("bjoern",), "bjoern", "_bjoern"),
    Server("fastpysgi", launched("fastpysgi"), ("fastpysgi",), "fastpysgi", "_fastpysgi"),
    Server(
        "fastwsgi",
        launched("fastwsgi"),
        # It imports pkg_resources, which later setuptools no longer have.
        ("fastwsgi", "setuptools<81"),
        "fastwsgi",
        "_fastwsgi",
    ),
    Server("freastal", launched("freastal"), ("freastal",), "freastal", "freastal._freastal"),
    Server("granian", _granian, ("granian",), "granian", "granian._granian"),
    Server("gunicorn", _gunicorn, ("gunicorn",), "gunicorn"),
    Server(
        "meinheld",
        launched("meinheld"),
        # The greenlet it asks for does not compile on a current Python; a later one serves.
        ("--no-deps", "meinheld", "greenlet"),
        "meinheld",
        "meinheld.server",
    ),
    Server(
        "peregrine",
        _peregrine,
        ("peregrine-server",),
        "peregrine-server",
        "peregrine._native",
    ),
]

SERVERS = [LIMIT, OURS, *PEERS, ORIGINAL, SWAPPED]
BY_NAME = {each.name: each for each in SERVERS}


class Running:
    """A server process: `port` is where, `session` whom `accounts` charges. End it with `stop`."""

    def __init__(self, server, command, environment, log):
        self.server = server
        self.port = None
        self._words = command
        self._environment = environment
        self._log = pathlib.Path(log)
        self._popen = None

    @property
    def session(self):
        """The session that the server and its children form: its process id."""
        return self._popen.pid

    def start(self):
        """Run it on a free port and wait until it listens; returns self."""
        self.port = free_port()
        words = [str(word) for word in self._words(self.port)]
        with open(self._log, "wb") as log:
            self._popen = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=APPS,
                start_new_session=True,
                preexec_fn=lambda: load.confine(load.SERVER_CORE),
            )
        deadline = time.monotonic() + START_PATIENCE
        while not listens(self.port):
            if self._popen.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise StartError(self._last_words())
            time.sleep(0.02)
        return self

    @property
    def alive(self):
        """Whether its first process still runs."""
        return self._popen is not None and self._popen.poll() is None

    def stop(self):
        """End it and its children: asked first, then made to."""
        if self._popen is None:
            return
        if self.alive:
            self._popen.send_signal(signal.SIGTERM)
            try:
                self._popen.wait(STOP_PATIENCE)
            except subprocess.TimeoutExpired:
                pass  # made to, below
        for pid in accounts.members(self.session):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it ended meanwhile
        self._popen.wait()

    def _last_words(self):
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else f"exit code {self._popen.returncode}"


def free_port():
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    """Whether somebody listens there. Asked of the kernel: a connection would be the server's."""
    wanted = f"0100007F:{port:04X}"
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state = line.split()[:4]
        if local == wanted and state == "0A":
            return True
    return False

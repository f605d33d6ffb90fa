"""The servers: what each is called, how it is started, and one that runs.

Nothing is installed here (`install`) and nothing measured. Every server is one process that serves,
pinned to one core with whatever threads and children it has. It has one thread for the
application, or as many as the scenario says where it has threads at all. Every server runs with its
defaults; an option is given only where a default would make it two processes, log every request, or
end connections that a scenario holds.
"""

import os
import pathlib
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field, replace

import accounts
import load

HERE = pathlib.Path(__file__).resolve().parent
APPS = HERE / "apps"
LAUNCH = HERE / "serve.py"
HOST = "127.0.0.1"
#: Seconds for a server to listen, and to end after its signal.
START_PATIENCE, STOP_PATIENCE = 15, 3
#: The kernel's flag of a unix socket that listens (__SO_ACCEPTCON).
ACCEPTING = 0x10000


class StartError(Exception):
    """The server ended, or did not listen in time; the text is what it printed."""


@dataclass(frozen=True)
class Launch:
    """What one process is started with. `app` is MODULE:NAME."""

    python: str
    app: str
    #: A port of 127.0.0.1 or the path of a unix socket.
    address: str
    threads: int = 1
    #: The access log's file; empty for none.
    log: str = ""
    #: Registered with `wsgi_cb` under this prefix, where the server has that.
    prefix: str = ""

    @property
    def bind(self):
        """The address as gunicorn and others have it: HOST:PORT or unix:PATH."""
        return f"{HOST}:{self.address}" if self.is_tcp else f"unix:{self.address}"

    @property
    def is_tcp(self):
        """Whether it listens on a port."""
        return self.address.isdigit()

    def script(self, name):
        """Path of a command that the server's distribution installs."""
        return pathlib.Path(self.python).with_name(name)


@dataclass(frozen=True)
class Server:
    """One kind of server. `command` makes its words from a `Launch`."""

    name: str
    command: object
    #: What pip installs it from, word by word; none where it is no peer from the index.
    requirements: tuple = ()
    #: The distribution whose version is shown.
    distribution: str = None
    #: The module with the server's machine code, whose import time is shown.
    extension: str = None
    legacy: bool = False
    #: Whether it can call the application in several threads, listen on a unix socket, and write
    #: an access log to a file.
    threads: bool = False
    unix: bool = False
    logs: bool = False
    #: Fields of `Launch` that stay as they are in every scenario, and the only scenarios of such a
    #: variant.
    fixed: dict = field(default_factory=dict)
    scenarios: tuple = ()

    def __hash__(self):
        return hash(self.name)


def launched(function):
    """A command that runs `function` of serve.py on the server's Python."""

    def command(launch):
        words = [launch.python, LAUNCH, function, launch.address, launch.app]
        if launch.threads > 1:
            words.append(f"threads={launch.threads}")
        if launch.log:
            words.append(f"log={launch.log}")
        if launch.prefix and function == "fapws":
            words.append(f"prefix={launch.prefix}")
        return words

    return command


def _fapws_command(launch):
    return [launch.python, "-m", "fapws", launch.app, "--bind", launch.bind]


def _falcorn(launch):
    options = ["--host", HOST, "--port", launch.address, "--protocol", "wsgi", "--workers", 1]
    options += ["--worker-class", "sync", "--sync-handler-threads", launch.threads]
    options += ["--keepalive", 60, "--max-connections", 6000]
    return [launch.script("falcorn"), "run", *options, launch.app]


def _granian(launch):
    options = ["--interface", "wsgi", "--workers", 1, "--runtime-threads", 1]
    options += ["--blocking-threads", launch.threads, "--no-ws", "--backlog", 8192]
    # The log goes to stdout, which is a file.
    options += ["--access-log"] if launch.log else ["--no-log"]
    if launch.is_tcp:
        options += ["--host", HOST, "--port", launch.address]
    else:
        options += ["--uds", launch.address]
    return [launch.python, "-m", "granian", *options, launch.app]


def _gunicorn(launch):
    # The threaded worker, since the default one closes every connection.
    options = ["--worker-class", "gthread", "--threads", launch.threads, "--keep-alive", 60]
    options += ["--worker-connections", 6000, "--log-level", "error"]
    options += ["--access-logfile", launch.log] if launch.log else []
    return [launch.python, "-m", "gunicorn", *options, "--bind", launch.bind, launch.app]


def _m0serve(launch):
    options = ["--host", HOST, "--port", launch.address, "--protocol", "wsgi", "--workers", 1]
    options += ["--max-keepalive-requests", 0, "--blocking-threads", _pool(launch.threads)]
    return [launch.script("m0serve"), *options, launch.app]


def _pool(threads):
    """One thread is m0serve's loop itself: a pool of none."""
    return threads if threads > 1 else 0


def _peregrine(launch):
    options = ["--log-level", "error", "--protocol", "wsgi", "--wsgi-threads", launch.threads]
    options += ["--keep-alive", 60000, "--max-connections", 6000]
    if launch.is_tcp:
        options += ["--host", HOST, "--port", launch.address]
    else:
        options += ["--unix", launch.address]
    return [launch.script("peregrine"), *options, launch.app]


def _tsuno(launch):
    options = ["--bind", launch.bind, "--workers", 1, "--threads", launch.threads]
    # Version 0.1.3 does not start with --keepalive.
    options += ["--no-access-log", "--log-level", "ERROR", "--app-dir", APPS]
    return [launch.script("tsuno"), *options, launch.app]


def _uwsgi(launch):
    socket_option = f"{HOST}:{launch.address}" if launch.is_tcp else launch.address
    options = ["--http11-socket", socket_option, "--wsgi", launch.app, "--listen", 1024]
    options += ["--need-app", "--die-on-term", "--enable-threads", "--threads", launch.threads]
    options += ["--logto", launch.log] if launch.log else ["--disable-logging"]
    # It runs in this environment's interpreter, which is not its own.
    home = pathlib.Path(launch.python).parent.parent
    return [launch.script("uwsgi"), "--virtualenv", home, "--pythonpath", APPS, *options]


def _waitress(launch):
    where = ["--listen", launch.bind] if launch.is_tcp else ["--unix-socket", launch.address]
    # It may hold 100 connections by default, and warns of every request that waits for a thread.
    options = ["--threads", launch.threads, "--connection-limit", 6000, "--no-expose-tracebacks"]
    program = "import logging, waitress.runner; logging.disable(logging.WARNING); "
    program += "waitress.runner.run()"
    return [launch.python, "-c", program, *where, *options, launch.app]


def _wsgo(launch):
    options = ["--module", "named", "--http-socket", f"{HOST}:{launch.address}"]
    options += ["--workers", launch.threads]
    return ["env", f"BENCH_APP={launch.app}", launch.script("wsgo"), *options]


LIMIT = Server("epoll", None)
OURS = Server(
    "fapws",
    launched("fapws"),
    extension="fapws._evwsgi",
    threads=True,
    unix=True,
    logs=True,
)
#: The same built from other sources, installed in the environment that `--before` names.
BEFORE = replace(OURS, name="before")
ORIGINAL = Server("original", launched("fapws_prefix"), legacy=True)
SWAPPED = Server("fapws-2.7", launched("fapws_prefix"), legacy=True)

#: Ours in other ways, each in the scenarios where that is a question.
ONE_THREAD = replace(OURS, name="fapws-1", fixed={"threads": 1}, scenarios=("compute", "files"))
MANY_THREADS = replace(
    OURS,
    name="fapws-64",
    fixed={"threads": 64},
    scenarios=("hello", "browser", "calm", "generator", "body", "flask"),
)
UNLOGGED = replace(OURS, name="fapws-unlogged", fixed={"log": ""}, scenarios=("access-log",))
COMMAND = Server("fapws-command", _fapws_command, scenarios=("start", "weight"))
VARIANTS = [ONE_THREAD, MANY_THREADS, UNLOGGED, COMMAND]

PEERS = [
    Server("bjoern", launched("bjoern"), ("bjoern",), "bjoern", "_bjoern", unix=True),
    Server("falcorn", _falcorn, ("falcorn",), "falcorn", threads=True),
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
    Server(
        "granian",
        _granian,
        ("granian",),
        "granian",
        "granian._granian",
        threads=True,
        unix=True,
        logs=True,
    ),
    Server("gunicorn", _gunicorn, ("gunicorn",), "gunicorn", threads=True, unix=True, logs=True),
    Server("m0serve", _m0serve, ("m0serve",), "m0serve", threads=True),
    Server(
        "meinheld",
        launched("meinheld"),
        # The greenlet that it asks for does not compile on a current Python; a later one serves.
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
        threads=True,
        unix=True,
    ),
    Server(
        "pyruvate",
        launched("pyruvate"),
        ("pyruvate",),
        "pyruvate",
        "pyruvate._pyruvate",
        threads=True,
        unix=True,
    ),
    Server("tsuno", _tsuno, ("tsuno",), "tsuno", threads=True, unix=True),
    Server("uwsgi", _uwsgi, ("uwsgi",), "uwsgi", threads=True, unix=True, logs=True),
    Server("waitress", _waitress, ("waitress",), "waitress", threads=True, unix=True),
    Server("wsgo", _wsgo, ("wsgo",), "wsgo", threads=True),
]

SERVERS = [LIMIT, OURS, BEFORE, *VARIANTS, *PEERS, ORIGINAL, SWAPPED]
BY_NAME = {each.name: each for each in SERVERS}


class Running:
    """A server process: `address` is where it listens, `port` where the load goes (the proxy's, if
    one stands before it), `session` whom `accounts` charges. End it with `stop`."""

    def __init__(self, server, command, environment, log, unix=False, access_log=None):
        self.server = server
        self.address = None
        self.port = None
        self._command = command
        self._environment = environment
        #: The file that stdout and stderr go to, and the access log's.
        self.output = pathlib.Path(log)
        self.access_log = pathlib.Path(access_log) if access_log else None
        self._unix = unix
        self._popen = None

    @property
    def session(self):
        """The session that the server and its children form: its process id."""
        return self._popen.pid

    def start(self):
        """Run it on a free address and wait until it listens; returns self."""
        self.spawn()
        deadline = time.monotonic() + START_PATIENCE
        while not listens(self.address):
            if self._popen.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise StartError(self._last_words())
            time.sleep(0.02)
        return self

    def spawn(self):
        """Run it on a free address, without waiting for anything."""
        if self._unix:
            self.address = str(self.output.with_suffix(".sock"))
            pathlib.Path(self.address).unlink(missing_ok=True)
        else:
            self.port = free_port()
            self.address = str(self.port)
        if self.access_log:
            self.access_log.unlink(missing_ok=True)
        words = [str(word) for word in self._command(self.address)]
        with open(self.output, "wb") as log:
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

    @property
    def alive(self):
        """Whether its first process still runs."""
        return self._popen is not None and self._popen.poll() is None

    def stop(self):
        """End it and its children: by SIGTERM, then by SIGKILL."""
        if self._popen is None:
            return
        if self.alive:
            self._popen.send_signal(signal.SIGTERM)
            try:
                self._popen.wait(STOP_PATIENCE)
            except subprocess.TimeoutExpired:
                pass  # killed, below
        for pid in accounts.members(self.session):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it ended meanwhile
        self._popen.wait()

    def _last_words(self):
        lines = self.output.read_text(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else f"exit code {self._popen.returncode}"


def free_port():
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(address):
    """Whether somebody listens there. Asked of the kernel: a connection would be the server's."""
    if not address.isdigit():
        for line in pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]:
            _, _, _, flags, _, _, _, *path = line.split()
            if path == [address] and int(flags, 16) & ACCEPTING:
                return True
        return False
    wanted = f"0100007F:{int(address):04X}"
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state = line.split()[:4]
        if local == wanted and state == "0A":
            return True
    return False

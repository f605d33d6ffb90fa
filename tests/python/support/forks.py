"""Programs that are started by a fork of an interpreter that is up, instead of a new one.

An interpreter takes longer to start than most programs under test to run. Owns the interpreters
(support/forking.py), one for each Python and test process, and a `subprocess.Popen` of what they
start. Who needs a process of its own from the first instruction on (another environment for the
interpreter itself, a command line to be seen) starts one anew.
"""

import functools
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import threading

FORKING = pathlib.Path(__file__).with_name("forking.py")

#: Variables that an interpreter, the C library or libev reads when it starts.
AT_THE_START = re.compile(
    r"^(PYTHON(?!DONTWRITEBYTECODE|FAULTHANDLER|PATH$)|LD_|MALLOC_|GLIBC_|LC_|LANG|TZ)"
)


def can_fork(command, env):
    """Whether it may be a fork: a Python with a file or module, and the variables of the driver."""
    if not pathlib.Path(command[0]).name.startswith("python"):
        return False
    if not (command[1].endswith(".py") or command[1] == "-m"):
        return False
    if "COVERAGE_PROCESS_START" in env or not _has_descriptors_of_processes():
        return False
    if any(pathlib.Path(folder, "sitecustomize.py").exists() for folder in _path(env)):
        return False
    at_the_start = {name: value for name, value in env.items() if AT_THE_START.match(name)}
    return all(os.environ.get(name) == value for name, value in at_the_start.items())


def _path(env):
    return filter(None, os.fspath(env.get("PYTHONPATH", "")).split(os.pathsep))


@functools.cache
def _has_descriptors_of_processes():
    """Whether pidfd_open(2) works here."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


class Forked:
    """As much of a `subprocess.Popen` as `support.process` uses."""

    returncode = None

    def __init__(self, python, words, cwd, env, stdout, stderr):
        env = {name: os.fspath(value) for name, value in env.items()}
        self._parent = _parent(str(python), env)
        self.pid = self._parent.ask(
            "start",
            {"words": words, "cwd": cwd, "env": env, "stdout": stdout, "stderr": stderr},
        )
        self._descriptor = os.pidfd_open(self.pid)
        self._lock = threading.Lock()

    def poll(self):
        """The exit code, or None while it runs."""
        return self._wait(0)

    def wait(self, timeout=None):
        """Wait for its end: the exit code; `subprocess.TimeoutExpired`."""
        code = self._wait(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return code

    def _wait(self, timeout):
        # Threads of a test may ask at once.
        with self._lock:
            if self.returncode is None and self._has_ended(timeout):
                self.returncode = self._parent.ask("reap", self.pid)
                os.close(self._descriptor)
        return self.returncode

    def _has_ended(self, timeout):
        ended = select.poll()
        ended.register(self._descriptor, select.POLLIN)
        return ended.poll(None if timeout is None else timeout * 1e3)

    def send_signal(self, number):
        """Send a signal to it, unless it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._descriptor, number)

    def kill(self):
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class _Parent:
    """One interpreter that forks."""

    def __init__(self, command, env):
        self._lock = threading.Lock()
        self._popen = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
        )

    def ask(self, kind, what):
        """Send a request; the number that comes back."""
        with self._lock:
            self._popen.stdin.write(json.dumps([kind, what]).encode("ascii") + b"\n")
            self._popen.stdin.flush()
            return int(self._popen.stdout.readline())

    def close(self):
        """Have it end, and wait for that."""
        self._popen.communicate()


_parents = {}


def _parent(python, env):
    if python not in _parents:
        at_the_start = ("PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER")
        of_parent = {
            name: value for name, value in env.items() if name in os.environ or name in at_the_start
        }
        # Each program's own.
        of_parent.pop("PYTHONPATH", None)
        _parents[python] = _Parent([python, str(FORKING)], of_parent)
    return _parents[python]


def close():
    """End the interpreters: nothing is started any more."""
    while _parents:
        _parents.popitem()[1].close()

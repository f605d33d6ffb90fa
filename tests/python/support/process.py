"""A program under test: started, watched, ended, and what it printed.

Its stdout and stderr go to files, so that a test may read them at any time and a talkative
program never blocks on a pipe. Whatever happens, `stop` or `kill` ends the process and reaps it.
"""

import os
import pathlib
import re
import signal
import subprocess
import time
from dataclasses import dataclass

from . import PATIENCE
from .forks import Forked, can_fork

#: Variables that would change what an interpreter or the server does; tests set them by hand.
#: pytest's own have the test's name in them, which may be too long for a program.
UNWANTED = re.compile(r"^(PYTHON|PYTEST_|VIRTUAL_ENV|FAPWS_|LIBEV_|LISTEN_|NOTIFY_SOCKET|__PYVENV)")

#: Words on stderr that are never right, whatever the exit code.
CRASH = re.compile(r"panicked at|Fatal Python error|AddressSanitizer|stack overflow|refcount")


@dataclass(frozen=True)
class Outcome:
    """How a process ended: its exit code (negative for a signal) and all that it printed."""

    returncode: int
    stdout: str
    stderr: str

    def check(self, returncode=0):
        """Fail unless the exit code is this one and nothing tells of a crash; returns self."""
        assert self.returncode == returncode, f"exit code {self.returncode}\n{self.transcript}"
        assert not CRASH.search(self.stderr), self.transcript
        return self

    @property
    def transcript(self):
        """Both streams, for a failure message."""
        return f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


def wait_until(condition, what, patience=PATIENCE):
    """Poll `condition` until it gives something true, and return that; fails after `patience`.

    A pause is a tenth of the time waited so far, between 1 and 25 ms: what is waited for needs the
    processor that looking takes.
    """
    begun = time.monotonic()
    while True:
        answer = condition()
        if answer:
            return answer
        waited = time.monotonic() - begun
        assert waited < patience, f"waited {patience:.0f} s for {what}"
        time.sleep(min(max(waited / 10, 0.001), 0.025))


class Process:
    """One program: `command` is a list of words, `folder` takes its output and is where it runs."""

    #: Whether it may be a fork (support/forks.py): the command is a Python with a file or module.
    may_fork = False

    def __init__(self, command, folder, env=None, cwd=None):
        self.command = [str(word) for word in command]
        self.folder = pathlib.Path(folder)
        self.cwd = cwd or self.folder
        self.env = clean_environment(env)
        self.outcome = None
        self._popen = None

    def start(self):
        """Run the program; returns self."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.may_fork and can_fork(self.command, self.env):
            python, *words = self.command
            streams = [str(self._path(stream)) for stream in ("stdout", "stderr")]
            # The fork opens them in its own time; a test may read them before.
            for path in streams:
                open(path, "wb").close()
            self._popen = Forked(python, words, str(self.cwd), self.env, *streams)
            return self
        with open(self._path("stdout"), "wb") as out, open(self._path("stderr"), "wb") as err:
            self._popen = subprocess.Popen(
                self.command,
                stdout=out,
                stderr=err,
                cwd=self.cwd,
                env=self.env,
                **self._popen_options(),
            )
        return self

    def _popen_options(self):
        """More arguments of `subprocess.Popen`."""
        return {"stdin": subprocess.DEVNULL}

    @property
    def pid(self):
        """Process id."""
        return self._popen.pid

    @property
    def alive(self):
        """Whether the program still runs."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def stdout(self):
        """All that the program printed on stdout so far."""
        return self._read("stdout")

    @property
    def stderr(self):
        """All that the program printed on stderr so far."""
        return self._read("stderr")

    def catches(self, number):
        """Whether the program has a handler for this signal, from /proc; not once it ended."""
        return self._has_in("SigCgt", number)

    def pending(self, number):
        """Whether this signal was sent and not taken in yet, from /proc; not once it ended."""
        return self._has_in("ShdPnd", number)

    def _has_in(self, mask, number):
        try:
            status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        except FileNotFoundError:
            return False
        signals = int(re.search(rf"{mask}:\s+(\w+)", status).group(1), 16)
        return bool(signals >> (number - 1) & 1)

    @property
    def resident_kib(self):
        """Resident memory in KiB, from /proc."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def peak_growth_kib(self, action):
        """How far the highest resident size during `action()` lies above that before, in KiB."""
        before = self.resident_kib
        # Writing 5 resets the high-water mark to the current size (proc(5)).
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        action()
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) - before

    @property
    def descriptors(self):
        """How many file descriptors the program holds, from /proc."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @property
    def cpu_seconds(self):
        """Processor time used so far, user and system, from /proc."""
        text = pathlib.Path(f"/proc/{self.pid}/stat").read_text()
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait_for_output(self, text, stream="stdout"):
        """Wait until `text` stands in the stream; fails when the program ends without it."""

        def seen():
            content = self._read(stream)
            assert text in content or self.alive, f"ended without {text!r}\n{self._transcript()}"
            return text in content

        wait_until(seen, f"{text!r} on {stream} of {self.command}")

    def send_signal(self, number):
        """Send a signal to the program."""
        self._popen.send_signal(number)

    def wait(self):
        """Wait for the program to end by itself; returns its Outcome."""
        if self.outcome is None:
            try:
                self._popen.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"did not end: {self.command}\n{self._transcript()}") from None
            self.outcome = Outcome(self._popen.returncode, self.stdout, self.stderr)
        return self.outcome

    def stop(self, number=signal.SIGTERM):
        """Ask the program to end with a signal, SIGTERM by default; returns its Outcome."""
        if self.alive:
            self.send_signal(number)
        return self.wait()

    def kill(self):
        """End the program at once; nothing is checked."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()
            self.outcome = Outcome(self._popen.returncode, self.stdout, self.stderr)

    def _transcript(self):
        return f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"

    def _path(self, stream):
        return self.folder / f"{stream}.txt"

    def _read(self, stream):
        return self._path(stream).read_bytes().decode("utf-8", "backslashreplace")


def catch_ignored_signals():
    """Give programs under test the default dispositions, whatever the driver was started with.

    `nohup` and a shell's `&` start it with SIGHUP, SIGINT and SIGQUIT ignored. What is ignored
    stays so in a child, and `run` then leaves it alone; what is caught is the default after exec.
    So the driver catches what it is to ignore. Only for the main thread.
    """
    # subprocess restores those that Python itself ignores, SIGPIPE among them.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, _do_nothing)


def _do_nothing(number, frame):
    """A handler in the place of SIG_IGN."""


def clean_environment(extra=None):
    """The driver's environment without what steers Python or the server, plus `extra`."""
    env = {name: value for name, value in os.environ.items() if not UNWANTED.match(name)}
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    # A crash shows where Python was. Python 2.7 ignores it.
    env["PYTHONFAULTHANDLER"] = "1"
    env.update(extra or {})
    return env

"""The command under test: `python -m fapws` as a process, and the small applications it serves."""

import os
import pathlib
import re
import signal
import textwrap

from support.ports import free_port
from support.process import Process, wait_until
from support.server import Listening

#: An application that tells which process and which version of its source answers.
HELLO = """
    import os, time
    VERSION = "one"

    def app(environ, start_response):
        time.sleep({"/slow": 1, "/hang": 600}.get(environ["PATH_INFO"], 0))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [("%d %s" % (os.getpid(), VERSION)).encode("ascii")]
"""


def write(folder, **modules):
    """Write modules into a folder, each from its indented text; returns the folder."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in modules.items():
        path = folder / f"{name}.py"
        path.with_suffix(".new").write_text(textwrap.dedent(text))
        path.with_suffix(".new").rename(path)
    return folder


class Once(Process):
    """A call of the command that ends by itself, in the folder `home`."""

    may_fork = True

    def __init__(self, environment, *arguments, folder, home, env=None):
        command = [environment.python, "-m", "fapws", *arguments]
        super().__init__(command, folder, env, cwd=home)


class Command(Listening):
    """The command, serving in the folder `home`; `bind` None leaves --bind to the arguments."""

    def __init__(self, environment, *arguments, folder, home, bind="127.0.0.1", env=None):
        command = [environment.python, "-m", "fapws", *arguments]
        if bind:
            port = free_port()
            command += ["--bind", f"{bind}:{port}"]
            self.address = (bind, port)
        super().__init__(command, folder, env, cwd=home)

    def start(self):
        """Run the command and wait until an application answers; returns self."""
        super().start()
        wait_until(self._answers, f"{self.command} to serve")
        return self

    def _answers(self):
        assert self.alive, self._transcript()
        try:
            return self.get("/").status
        except (OSError, AssertionError):
            return False

    @property
    def workers(self):
        """The process ids of the workers, from /proc."""
        path = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return set(map(int, path.read_text().split()))

    def wait_for_workers(self, count):
        """Wait until there are this many workers, and all of them serve; returns them."""
        def all_serve():
            workers = self.workers
            return len(workers) == count and all(map(_serves, workers)) and workers

        return wait_until(all_serve, f"{count} workers")


def _serves(pid):
    """Whether a worker is in `run`: it has made its loop, which its master never does, and taken
    SIGINT, which ended it before.
    """
    try:
        files = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")]
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
    caught = int(re.search(r"SigCgt:\s+(\w+)", status).group(1), 16)
    return "anon_inode:[eventpoll]" in files and bool(caught >> (signal.SIGINT - 1) & 1)


class Anew(Command):
    """The command in an interpreter that was started for it: which has its words in the kernel."""

    may_fork = False


def served_by(answer):
    """The process and the version that HELLO's answer tells of."""
    assert answer.status == 200, answer
    pid, version = re.fullmatch(rb"(\d+) (\w+)", answer.body).groups()
    return int(pid), version.decode()


#: The beginning of each of the server's own lines: time, process id, level.
HEAD = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[(\d+)\] \[([A-Z]+)\] "


def log_lines(stderr):
    """The server's own lines on stderr, each as (process id, level, text)."""
    found = re.findall(f"^{HEAD}(.*)$", stderr, re.M)
    return [(int(pid), level, text) for pid, level, text in found]


def complaints(outcome):
    """What the command said on stderr but for the line that it serves, if it came to that."""
    return re.sub(HEAD + r"serving \S+ on .*\n", "", outcome.stderr)



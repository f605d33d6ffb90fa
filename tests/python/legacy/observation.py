"""What one case makes a server do, in a form that two servers can be compared by.

Owns: driving cases through a site without mixing their traces, starting a server again that died,
and masking what may differ (Date, the client's port, descriptors, addresses in memory).
Does not own: whether a difference is allowed (differences.py).
Invariant: between two cases the application answers /settle, so everything printed and recorded
until then belongs to the first of them.
"""

import itertools
import re
import subprocess
from dataclasses import dataclass, field

from legacy.recording import Program
from legacy.wire import CLOSED, exchange

ANSWERED, DIED = "answered", "died"

_DATE = re.compile(rb"(?m)^Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r$")
_SETTLE = b"GET /settle HTTP/1.0\r\n\r\n"
_MASKED = {"fapws.remote_port", "fapws.socket_fd"}


@dataclass
class Observation:
    """One case, as seen from outside.

    ending: `answered` when the server closed in order and lives, `died` when its process ended,
        else how the connection ended (legacy.wire).
    wire, stdout, stderr: what was sent and printed. records: what the application saw and did.
    death: the exit code of a server that died.
    """

    ending: str
    wire: bytes
    records: list = field(default_factory=list)
    stdout: bytes = b""
    stderr: bytes = b""
    death: object = None


class Driver:
    """Runs cases against one site, with one server process for each kind of base module.

    `patience` bounds the wait for a server that may be stuck, in seconds.
    """

    def __init__(self, site, folder, patience):
        self.site = site
        self.folder = folder
        self.patience = patience
        self._programs = {}
        self._numbers = itertools.count()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in self._programs.values():
            program.stop()

    def observe(self, case):
        """Send one case and gather all its traces."""
        program = self._program(case.base)
        answer = exchange(
            program.address,
            case.pieces,
            case.half_close,
            self.patience,
            between=lambda: self._settle(program, 2),
        )
        ending, death = (ANSWERED if answer.ending == CLOSED else answer.ending), None
        if not self._settle(program):
            ending, death = self._bury(case.base)
        wire, stdout, stderr = map(self._masked, (answer.data, *program.printed()))
        port = str(answer.client_port)
        records = program.read_records()
        _mask_records(records, port)
        return Observation(ending, wire, records, stdout, stderr, death)

    def _masked(self, text):
        """Without the time, and without the folder of the package, which tracebacks name."""
        return _DATE.sub(b"Date: *\r", text).replace(str(self.site.folder).encode(), b"...")

    def _program(self, base):
        if base not in self._programs:
            folder = self.folder / f"{self.site.name}-{base}-{next(self._numbers)}"
            program = self._programs[base] = _Traced(self.site, "reporter.py", base, folder=folder)
            program.start()
            self._settle(program)
            program.read_records()
            program.printed()
        return self._programs[base]

    def _settle(self, program, times=1):
        """Whether the server still answers.

        Once is enough for what ended with its connection. A second request is taken up only after
        everything that was ready when the first one was.
        """
        return all(
            exchange(program.address, [_SETTLE], patience=5 * self.patience).data.startswith(
                b"HTTP/1.0 2"
            )
            for _ in range(times)
        )

    def _bury(self, base):
        program = self._programs.pop(base)
        try:
            return DIED, program.wait_briefly(5 * self.patience)
        except subprocess.TimeoutExpired:
            program.kill()
            return "stuck", None


class _Traced(Program):
    """A program whose printed lines are read case by case."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._printed = {"stdout": 0, "stderr": 0}

    def printed(self):
        """(stdout, stderr): the bytes since the last call."""
        return tuple(self._fresh(stream) for stream in self._printed)

    def _fresh(self, stream):
        with open(self._path(stream), "rb") as stored:
            stored.seek(self._printed[stream])
            data = stored.read()
        self._printed[stream] += len(data)
        return data

    def wait_briefly(self, seconds):
        """The exit code; `subprocess.TimeoutExpired` when the process does not end by itself."""
        return self._popen.wait(seconds)


def _mask_records(records, client_port):
    """Mask the values of some keys, each in a pair with its key: `[kind, number]`."""
    left = list(records)
    while left:
        value = left.pop()
        parts = value.values() if isinstance(value, dict) else value
        inner = [part for part in parts if isinstance(part, (dict, list))]
        left += inner
        if not inner or isinstance(value, dict) or len(value) != 2:
            continue
        key = value[0][1] if isinstance(value[0], list) and len(value[0]) == 2 else value[0]
        if isinstance(key, str) and key in _MASKED:
            kind, number = value[1]
            value[1] = [kind, "the client's" if number == client_port else "a descriptor"]

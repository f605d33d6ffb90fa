"""What the operating system charges a server: processor time and memory, read from /proc.

A server is every process of one session (`setsid` at its start), so workers and their threads are
charged with their parent. The total comes from the scheduler's nanosecond clocks; how it divides
into user and system is what the kernel estimates at its ticks, so it is given as a share.

Invariant: a thread that ended in between is charged up to the last reading before its end, never
negatively.
"""

import os
import pathlib
import re
from dataclasses import dataclass

PROC = pathlib.Path("/proc")


def members(session):
    """Process ids of the session."""
    found = []
    for entry in os.listdir(PROC):
        if entry.isdigit():
            fields = _stat(entry)
            if fields and int(fields[3]) == session:
                found.append(int(entry))
    return found


@dataclass(frozen=True)
class Reading:
    """Processor time of a session so far: nanoseconds by thread, and ticks in user and system."""

    threads: dict
    user: int
    system: int


@dataclass(frozen=True)
class Spent:
    """Seconds between two readings."""

    total: float
    user: float
    system: float


def read(session):
    """The session's `Reading`, now."""
    threads, user, system = {}, 0, 0
    for pid in members(session):
        fields = _stat(pid)
        if not fields:
            continue
        user += int(fields[11])
        system += int(fields[12])
        for task in _listed(PROC / str(pid) / "task"):
            text = _text(PROC / str(pid) / "task" / task / "schedstat")
            if text:
                threads[task] = int(text.split()[0])
    return Reading(threads, user, system)


def between(earlier, later):
    """What was `Spent` from one `Reading` to the next."""
    nanoseconds = sum(ns - earlier.threads.get(task, 0) for task, ns in later.threads.items())
    user, system = later.user - earlier.user, later.system - earlier.system
    total = nanoseconds / 1e9
    share = user / (user + system) if user + system else 0.5
    return Spent(total, total * share, total * (1 - share))


def busy_seconds(core):
    """How long a core has not been idle since the machine's start."""
    for line in (PROC / "stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _wait, irq, softirq, steal = map(int, ticks[:8])
            return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    raise LookupError(f"/proc/stat has no core {core}")


def resident_kib(session):
    """Resident memory of the session's processes, added up."""
    return _status(session, "VmRSS")


def peak_kib(session):
    """The highest resident memory that each process ever had, added up."""
    return _status(session, "VmHWM")


def private_kib(session):
    """Memory that is the session's alone: what a connection held adds to."""
    total = 0
    for pid in members(session):
        text = _text(PROC / str(pid) / "smaps_rollup")
        total += sum(int(kib) for kib in re.findall(r"^Private_\w+:\s+(\d+) kB", text, re.M))
    return total


def proportional_kib(session):
    """Memory of the session's processes, added up, a shared page divided among those who map it."""
    total = 0
    for pid in members(session):
        text = _text(PROC / str(pid) / "smaps_rollup")
        total += sum(int(kib) for kib in re.findall(r"^Pss:\s+(\d+) kB", text, re.M))
    return total


def switches(session):
    """How often the session's threads have gone to sleep, or been put aside, so far."""
    total = 0
    for pid in members(session):
        for task in _listed(PROC / str(pid) / "task"):
            text = _text(PROC / str(pid) / "task" / task / "status")
            found = re.findall(r"^(?:non)?voluntary_ctxt_switches:\s+(\d+)", text, re.M)
            total += sum(map(int, found))
    return total


def _status(session, name):
    total = 0
    for pid in members(session):
        found = re.search(rf"^{name}:\s+(\d+) kB", _text(PROC / str(pid) / "status"), re.M)
        total += int(found.group(1)) if found else 0
    return total


def _stat(pid):
    """The fields after the command's name; none when the process is gone."""
    return _text(PROC / str(pid) / "stat").rpartition(")")[2].split()


def _text(path):
    try:
        return path.read_text()
    except OSError:
        return ""


def _listed(path):
    try:
        return os.listdir(path)
    except OSError:
        return []

"""One measurement: wrk on its core, the server on the other, and what both say of it.

wrk reports requests and latencies, /proc what the server was charged meanwhile. A sample also has
how busy others kept the server's core, since a number from a shared core is worth less.
"""

import json
import os
import pathlib
import subprocess
import time
from dataclasses import dataclass

import accounts

SERVER_CORE, CLIENT_CORE = 0, 1
SCRIPT = pathlib.Path(__file__).with_name("load.lua")
#: Seconds past the measured ones after which wrk is taken for stuck.
GRACE = 20
NICENESS = -15


class LoadError(Exception):
    """wrk did not run, or had no response."""


@dataclass(frozen=True)
class Sample:
    """One round of one server; times of a request are in microseconds."""

    requests: int
    seconds: float
    cpu_us: float
    user_us: float
    system_us: float
    p50_us: int
    p99_us: int
    max_us: int
    errors: int
    #: Responses a second to the clients beside (`Scenario.beside`).
    beside: float
    #: Share of the time in which somebody else ran on the server's core.
    disturbed: float

    @property
    def rate(self):
        """Requests a second."""
        return self.requests / self.seconds


def confine(core):
    """For a new session, before its program starts: one core, and ahead of others where allowed."""
    os.sched_setaffinity(0, {core})
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
        # Where sessions are scheduled as groups, only the group's own niceness counts outside it.
        with open("/proc/self/autogroup", "w") as group:
            group.write(str(NICENESS))
    except OSError:
        pass  # only the noise grows


def measure(server, scenario, seconds, request_file):
    """Put the scenario's load on a running server for whole `seconds`; returns the `Sample`."""
    busy, begun, before = accounts.busy_seconds(SERVER_CORE), time.monotonic(), _read(server)
    clients = [_wrk(server, scenario, seconds, request_file)]
    if scenario.beside:
        beside_file = request_file.with_suffix(".beside")
        clients.append(_wrk(server, scenario.beside, seconds, beside_file))
    reports = _reports(clients, seconds)
    spent = accounts.between(before, _read(server))
    elapsed = time.monotonic() - begun
    others = accounts.busy_seconds(SERVER_CORE) - busy - spent.total
    report = reports[0]
    if not report["requests"]:
        raise LoadError(f"not one response, {report['errors']} errors")
    each = 1e6 / report["requests"]
    return Sample(
        cpu_us=spent.total * each,
        user_us=spent.user * each,
        system_us=spent.system * each,
        disturbed=max(0.0, others / elapsed),
        beside=sum(other["requests"] / other["seconds"] for other in reports[1:]),
        **report,
    )


def _wrk(server, scenario, seconds, request_file):
    """wrk with the scenario's requests, on the clients' core."""
    command = ["wrk", "-t1", f"-c{scenario.connections}", f"-d{seconds}s", "-s", SCRIPT]
    command += [f"http://127.0.0.1:{server.port}/", "--"]
    command += [request_file, scenario.depth, scenario.pause_ms, scenario.pause_every]
    return subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: confine(CLIENT_CORE),
    )


def _reports(clients, seconds):
    """What each wrk printed, as load.lua writes it; ends those that do not end."""
    reports = []
    try:
        for client in clients:
            output, errors = client.communicate(timeout=seconds + GRACE)
            if client.returncode:
                raise LoadError(f"wrk: exit code {client.returncode} {errors}".strip())
            reports.append(json.loads(output.splitlines()[-1]))
    except subprocess.TimeoutExpired as failure:
        raise LoadError(str(failure)) from None
    finally:
        for client in clients:
            if client.poll() is None:
                client.kill()
                client.communicate()
    return reports


def _read(server):
    return accounts.read(server.session)

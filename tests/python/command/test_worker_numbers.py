"""The numbers of all workers: sums that do not fall, each worker's, and what replaced them."""

import os
import re
import signal
import subprocess
import textwrap

from command import HELLO, served_by, write
import pytest
from support.process import wait_until

pytestmark = pytest.mark.wire

COUNTED = "from fapws.contrib.stats import Stats\n" + textwrap.dedent(HELLO).replace(
    "def app", "def hello") + "\napp = Stats().mounted(hello)\n"

PARSE = """
import sys
from prometheus_client.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    print('%s %s %d' % (family.type, family.name, len(family.samples)))
"""


def text(command):
    """What Prometheus gets."""
    return command.get("/-/stats/metrics").body.decode()


def number(command, name):
    """One of the numbers."""
    found = re.search(rf"^fapws_{re.escape(name)} (\S+)$", text(command), re.M)
    assert found, text(command)
    return float(found.group(1))


def test_sums_do_not_fall_when_workers_end(run_command, home):
    write(home, counted=COUNTED)
    command = run_command("counted:app", "--workers", 3)
    command.wait_for_workers(3)
    for _ in range(30):
        served_by(command.get("/"))
    before = number(command, "requests_total")
    assert before >= 30
    for _ in range(3):
        victim = min(command.wait_for_workers(3))
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda victim=victim: victim not in command.workers, "its end")
        after = number(command, "requests_total")
        assert after >= before
        before = after
    workers = command.wait_for_workers(3)
    command.send_signal(signal.SIGHUP)
    wait_until(lambda: not workers & command.workers, "the old workers to end")
    assert number(command, "requests_total") > before
    assert number(command, 'worker_restarts_total{cause="crash"}') == 3
    assert number(command, "reloads_total") == 1
    # Connections of the dead are no connections.
    assert number(command, "connections") <= 3


def test_each_worker_has_a_place(run_command, home):
    write(home, counted=COUNTED)
    command = run_command("counted:app", "--workers", 2)
    command.wait_for_workers(2)
    pids = set()
    while len(pids) < 2:
        pids.add(served_by(command.get("/"))[0])
    found = dict(re.findall(
        r'^fapws_worker_requests_total\{worker="(\d+)"\} (\d+)$', text(command), re.M))
    assert sorted(found) == ["0", "1"]
    assert all(int(value) >= 1 for value in found.values())
    page = command.get("/-/stats").body.decode()
    assert all(f"<td>{pid}</td>" in page for pid in pids)


def test_what_replaced_workers_is_counted(run_command, home):
    write(home, counted=COUNTED)
    command = run_command("counted:app", "--max-requests", 20)
    (before,) = command.wait_for_workers(1)
    while served_by(command.get("/"))[0] == before:
        pass
    assert number(command, 'worker_restarts_total{cause="max_requests"}') >= 1
    assert number(command, 'worker_restarts_total{cause="crash"}') == 0


def test_prometheus_own_parser_reads_it(run_command, home, python3):
    write(home, counted=COUNTED)
    command = run_command("counted:app", "--workers", 2)
    command.wait_for_workers(2)
    for path in ("/", "/slow", "/-/stats"):
        command.get(path)
    library = python3.library("prometheus_client==0.23.1")
    outcome = subprocess.run(
        [python3.python, "-c", PARSE], input=text(command), env={"PYTHONPATH": str(library)},
        capture_output=True, text=True, check=True)
    families = {tuple(line.split()[:2]) for line in outcome.stdout.splitlines()}
    for family in [
        ("counter", "fapws_requests"), ("counter", "fapws_worker_requests"),
        ("gauge", "fapws_connections"), ("histogram", "fapws_call_seconds"),
        ("counter", "fapws_worker_restarts"), ("counter", "fapws_wait_seconds"),
    ]:
        assert family in families
    assert not {kind for kind, _ in families} - {"counter", "gauge", "histogram"}

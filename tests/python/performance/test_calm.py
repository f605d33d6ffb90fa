"""What the monitor costs where the loop has little to do: few looks, and no request wakes it."""

import pathlib
import re
import time

import pytest
from standard.conftest import serve_probe  # noqa: F401
from standard.message import request
from support.process import wait_until

pytestmark = pytest.mark.quiet

ROUNDS = 300


def sleeps_of_the_monitor(server):
    """How often it has gone to sleep. It names itself, once it runs."""
    tasks = pathlib.Path(f"/proc/{server.pid}/task")

    def monitor():
        names = {task: (task / "comm").read_text().strip() for task in tasks.iterdir()}
        return next((task for task, name in names.items() if name == "fapws-monitor"), None)

    wait_until(monitor, "the monitor")
    status = (monitor() / "status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M)[1])


def test_the_monitor_sleeps_while_nothing_comes(serve_probe):  # noqa: F811
    server = serve_probe("monitor.py")
    with server.connect() as client:
        client.send(request("/"))
        assert client.response().body == b"hello"

        def sleeps():
            before = sleeps_of_the_monitor(server)
            time.sleep(1)
            return sleeps_of_the_monitor(server) == before

        wait_until(sleeps, "a second without a look")


def test_responses_that_are_ready_together_do_not_wake_the_monitor(serve_probe):  # noqa: F811
    """The loop mostly waits. Two requests come while a third is called: they share a turn."""
    server = serve_probe("monitor.py")
    with server.connect() as first, server.connect() as second, server.connect() as third:
        clients = first, second, third

        def serve(rounds):
            for _ in range(rounds):
                first.send(request("/short"))
                second.send(request("/"))
                third.send(request("/"))
                for each in clients:
                    each.response()
                time.sleep(0.002)

        serve(30)  # the monitor has seen that there is little to do
        before, began = sleeps_of_the_monitor(server), time.monotonic()
        serve(ROUNDS)
        sleeps = sleeps_of_the_monitor(server) - before
        seconds = time.monotonic() - began
    # Fifty looks a second are due.
    assert sleeps - 60 * seconds < ROUNDS / 3, f"{sleeps} in {seconds:.2f} s"

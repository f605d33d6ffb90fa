"""The sample that forks: one port, several processes, a parent that looks after them."""

import concurrent.futures
import os
import re
import signal

import pytest
from support.process import wait_until

pytestmark = pytest.mark.wire


@pytest.fixture
def family(run_sample):
    """The sample with three children."""
    return run_sample("processes", "run.py", arguments=("0", "3"))


def server_of(answer):
    """The id of the process that gave the answer."""
    assert answer.status == 200
    return int(re.fullmatch(rb"served by process (\d+)\n", answer.body).group(1))


def children(family):
    """The ids of the parent's children, from /proc."""
    with open(f"/proc/{family.pid}/task/{family.pid}/children") as file:
        return set(map(int, file.read().split()))


def test_children_answer_and_the_parent_does_not(run_sample):
    # A process that is busy leaves new connections to the others.
    answer = "def whoami(environ, start_response):\n"
    busy = [(answer, answer + "    time.sleep(0.1)\n")]
    family = run_sample("processes", "run.py", arguments=("0", "3"), patches=busy)
    wait_until(lambda: len(children(family)) == 3, "three children")
    seen = set()

    def several_served():
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            seen.update(map(server_of, pool.map(family.get, ["/"] * 32)))
        return len(seen) > 1

    wait_until(several_served, "a second process to answer")
    assert seen <= children(family)


def test_a_child_that_dies_is_replaced(family):
    wait_until(lambda: len(children(family)) == 3, "three children")
    before = children(family)
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(children(family) - {victim}) == 3, "a child in its place")
    assert server_of(family.get("/")) in children(family)
    wait_until(lambda: f"process {victim} ended with status 9" in family.stdout, "a word of it")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_whole_family(family, number):
    wait_until(lambda: len(children(family)) == 3, "three children")
    before = children(family)
    family.stop(number).check()
    assert not any(os.path.exists(f"/proc/{pid}") for pid in before)

"""--max-requests, --max-memory: workers that have served enough, and that no request is lost."""

import pytest
from command import HELLO, served_by, write
from load import under_load
from support.process import wait_until

pytestmark = pytest.mark.wire

LEAKS = HELLO.replace(
    "time.sleep({", 'KEPT.append(b"x" * (environ["PATH_INFO"] == "/leak" and 96 << 20))'
    "\n        time.sleep({").replace('VERSION = "one"', 'VERSION = "one"\n    KEPT = []')


def test_a_worker_is_replaced_after_its_requests(run_command):
    command = run_command("hello:app", "--max-requests", 20)
    (before,) = command.wait_for_workers(1)
    while served_by(command.get("/"))[0] == before:
        pass
    command.wait_for_output(f"worker {before} has served ", "stderr")
    (after,) = command.wait_for_workers(1)
    assert after != before


@pytest.mark.parametrize("keep_alive", [True, False], ids=["keep-alive", "one request each"])
@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["", "preload"])
def test_no_request_is_lost_when_workers_are_replaced(run_command, keep_alive, preload):
    command = run_command(
        "hello:app", "--workers", 2, "--max-requests", 100, "--max-requests-jitter", 50, *preload)
    with under_load(command.address, keep_alive) as load:
        wait_until(lambda: len(load.served_by) >= 6, "four successors at work")


def test_a_worker_that_has_grown_is_replaced(run_command, home):
    write(home, leaks=LEAKS)
    command = run_command("leaks:app", "--max-memory", "96M")
    (before,) = command.wait_for_workers(1)
    with under_load(command.address, True, 1):
        command.get("/leak")
        wait_until(lambda: before not in command.workers, "its end")
    command.wait_for_output(f"worker {before} has ", "stderr")
    assert "of memory: it is replaced" in command.stderr


def test_a_worker_that_begins_large_is_not_replaced_in_a_circle(run_command, home):
    write(home, large="KEPT = b'x' * (96 << 20)\n" + HELLO.replace("\n    ", "\n"))
    command = run_command("large:app", "--workers", 2, "--max-memory", "64M")
    before = command.wait_for_workers(2)
    command.wait_for_output("more than --max-memory: none is replaced for that", "stderr")
    with under_load(command.address, True, 1) as load:
        # Many looks later.
        wait_until(lambda: load.answered > 5000, "five thousand responses")
    assert command.workers == before
    assert command.stderr.count("--max-memory") == 1

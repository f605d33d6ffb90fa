"""Kept connections spread over the workers, and nobody waits for that beside busy ones."""

import collections
import contextlib
import os
import signal

import pytest

pytestmark = pytest.mark.wire

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


def worker_of(client):
    """The worker that a kept connection is at."""
    return int(client.response().body.split()[0])


def open_at_once(command, stack, count):
    """`count` kept connections, opened and asked at once; workers and how many each has."""
    clients = [stack.enter_context(command.connect()) for _ in range(count)]
    for client in clients:
        client.send(GET)
    return collections.Counter(worker_of(client) for client in clients)


# A worker may not run for longer than it is waited for on a machine that does something else, too.
@pytest.mark.quiet
@pytest.mark.parametrize("options", [(), ("--no-tcp-defer-accept",), ("--threads", "2")])
def test_forty_connections_over_four_workers(run_command, interpreter, options):
    if "--threads" in options and interpreter.version[0] == 2:
        pytest.skip("threads need Python 3")
    command = run_command("hello:app", "--workers", "4", *options)
    command.wait_for_workers(4)
    most = []
    for _ in range(7):
        with contextlib.ExitStack() as stack:
            most.append(max(open_at_once(command, stack, 40).values()))
    # In a single round a worker may not have run for longer than it was waited for.
    assert sorted(most)[3] <= 15, most


@pytest.mark.quiet
def test_one_after_the_other(run_command):
    command = run_command("hello:app", "--workers", "4")
    command.wait_for_workers(4)
    most = []
    for _ in range(7):
        with contextlib.ExitStack() as stack:
            counts = collections.Counter()
            for _ in range(12):
                counts += open_at_once(command, stack, 1)
            most.append(max(counts.values()))
    assert sorted(most)[3] <= 5, most


def test_nobody_waits_beside_a_busy_worker(run_command):
    """One of two workers is in a call that does not end: the other takes everybody."""
    options = ["--workers", "2", "--timeout", "0", "--graceful-timeout", "0"]
    command = run_command("hello:app", *options)
    workers = command.wait_for_workers(2)
    with contextlib.ExitStack() as stack:
        hanging = stack.enter_context(command.connect())
        hanging.send(b"GET /hang HTTP/1.1\r\nHost: test\r\n\r\n")
        counts = open_at_once(command, stack, 20)
        assert len(counts) == 1 and set(counts) < workers


def test_a_stopped_worker_keeps_nobody(run_command):
    """It seems to wait, and takes nobody."""
    command = run_command("hello:app", "--workers", "2", "--timeout", "0")
    stopped, _ = sorted(command.wait_for_workers(2))
    os.kill(stopped, signal.SIGSTOP)
    try:
        with contextlib.ExitStack() as stack:
            counts = open_at_once(command, stack, 20)
            assert sum(counts.values()) == 20 and stopped not in counts
    finally:
        os.kill(stopped, signal.SIGCONT)

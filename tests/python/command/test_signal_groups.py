"""Which signals reach a worker, and what the master need not know of it.

One signal may reach the master alone, its workers too, or both in any order: a worker drains.
A terminal sends Ctrl-C to a whole job, a shell's `kill %1` too, and systemd sends SIGTERM to every
process of a service. Others, as an IDE's stop button, send it to the master alone. The master
cannot know, and need not: a worker counts what its parent sends apart from the rest.
"""

import os
import pathlib
import re
import signal

import pytest
from command import Command, complaints, served_by, write
from support.process import wait_until
from terminal import AtTerminal

#: What workers get before they are cut, and killed, is longer than any test: none ends by that.
PATIENT = """
from fapws import master as _master, termination as _termination
_master.SIGINT_GRACE = _termination.KILL_AFTER = 600
"""

LATE = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\n"


@pytest.fixture
def run_at(interpreter, start_process, home):
    """`run_at(Command, "--workers", 2)`: the command, serving, of this class."""
    write(home, settings=PATIENT)
    words = ["hello:app", "--config", "settings.py", "--graceful-timeout", 600]
    return lambda kind, *more: start_process(kind, interpreter, *words, *more, home=home)


def to_all(command, number):
    send([command.pid, *command.workers], number)


def workers_first(command, number):
    send([*command.workers, command.pid], number)


def send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass  # an idle worker that its master has ended already


def to_master(command, number):
    os.kill(command.pid, number)


def is_stopped(pid):
    """Whether each thread of a process is stopped, from /proc."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return all("\nState:\tT" in (task / "status").read_text() for task in tasks)


def pending(pid):
    """The signals that a process was sent and has not taken yet, from /proc."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    mask = int(re.search(r"ShdPnd:\s+(\w+)", status).group(1), 16)
    return [number for number in range(1, 65) if mask >> (number - 1) & 1]


def drains(command, send):
    """What is in flight is finished, however late, and nobody complains of a worker that is."""
    workers = command.wait_for_workers(2)
    with command.connect() as client:
        client.send(LATE)
        command.get("/")
        send()
        # The workers have closed their listeners, so they drain.
        wait_until(lambda: not command.accepts(), "the end of listening")
        client.send(b"x")
        assert served_by(client.response())[0] in workers
        assert client.at_end()
    assert complaints(command.wait().check()) == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("how", [to_master, to_all, workers_first])
@pytest.mark.parametrize("where", [Command, AtTerminal])
def test_a_worker_drains_at_one_signal(run_at, where, how, number):
    command = run_at(where, "--workers", 2)
    drains(command, lambda: how(command, number))


def test_a_worker_drains_at_ctrl_c(run_at):
    command = run_at(AtTerminal, "--workers", 2)
    drains(command, command.press_ctrl_c)


@pytest.mark.wire
def test_a_second_ctrl_c_ends_at_once(run_at):
    command = run_at(AtTerminal)
    command.wait_for_workers(1)
    with command.connect() as client:
        client.send(LATE)
        command.get("/")
        command.press_ctrl_c()
        wait_until(lambda: not command.accepts(), "the end of listening")
        command.press_ctrl_c()
        assert client.at_end()
    assert complaints(command.wait().check()) == ""


@pytest.mark.wire
def test_two_signals_at_once_are_two(run_at):
    """SIGQUIT: a worker is sent the second signal before it has run to take the first one."""
    command = run_at(Command)
    (worker,) = command.wait_for_workers(1)
    with command.connect() as client:
        client.send(LATE)
        command.get("/")
        os.kill(worker, signal.SIGSTOP)
        wait_until(lambda: is_stopped(worker), "the worker to stop")
        command.send_signal(signal.SIGQUIT)
        wait_until(lambda: len(pending(worker)) == 2, "two signals")
        os.kill(worker, signal.SIGCONT)
        assert client.at_end()
    outcome = command.wait().check()
    assert complaints(outcome) == "" and "Bye." not in outcome.stdout

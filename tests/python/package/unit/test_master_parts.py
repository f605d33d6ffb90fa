"""What the master is made of: what is wanted, how children are ended, what their loss means."""
import os
import signal

import pytest
from fapws import losses, process, termination, waiting
from fapws.backoff import Backoff
from fapws.children import Children, Template, Worker
from fapws.link import CANNOT_LOAD
from fapws.wanted_state import WantedState

#: Statuses of waitpid(2): of exits, and of an end by SIGKILL.
COULD_NOT_LOAD, FAILED, KILLED = CANNOT_LOAD << 8, 1 << 8, 9


@pytest.fixture
def sent(monkeypatch):
    """The signals that are sent, instead of sending them."""
    signals = []
    monkeypatch.setattr(termination, "send_signal", lambda *each: signals.append(each))
    return signals


class Log(object):
    """Keeps the lines of a `server_log.ServerLog`."""

    def __init__(self):
        self.lines = []

    def __call__(self, text, *values):
        self.lines.append(text % values if values else text)

    warning = error = __call__


class Loss(object):
    """A `losses.Losses`, and all that it works on."""

    def __init__(self):
        self.state, self.children, self.backoff = WantedState(2), Children(), Backoff()
        self.log, self.notified = Log(), []
        self.losses = losses.Losses(
            self.state, self.children, self.backoff, self.log, None, self.notified.append)

    def worker(self, pid, generation=0):
        self.children.workers[pid] = Worker(pid, generation, None, process.clock())
        return self.children.workers[pid]

    def lose(self, pid, status, generation=0):
        worker = self.children.workers.pop(pid, None) or Worker(
            pid, generation, None, process.clock())
        self.losses.worker_ended(worker, status)


def test_a_reload_that_is_overtaken_goes_back_to_the_generation_before_both():
    state = WantedState(3)
    state.resting = True
    state.begin_reload()
    state.begin_reload()
    assert (state.generation, state.reloading, state.number) == (2, True, 3)
    state.roll_back()
    assert (state.generation, state.reloading) == (0, False)


def test_a_reload_is_over_when_its_generation_serves():
    state = WantedState(1)
    state.begin_reload()
    state.finish_reload()
    assert (state.generation, state.reloading) == (1, False)


def test_no_worker_is_wanted_at_rest_and_at_the_end():
    for name in ("resting", "ending"):
        state = WantedState(3)
        setattr(state, name, True)
        assert state.number == 0
    state = WantedState(3)
    state.ends_at = 5.0
    assert (state.number, state.goes_on) == (3, False)


def test_a_worker_drains_then_is_cut_then_is_killed(sent):
    worker, log = Worker(7, 0, None, 0.0), Log()
    termination.terminate(worker, 30)
    due = worker.pending_signals[0][0]
    termination.send_due_signals([worker], due - 1, log)
    assert (sent, log.lines) == ([(7, signal.SIGTERM)], [])
    termination.send_due_signals([worker], due, log)
    assert sent == [(7, signal.SIGTERM), (7, signal.SIGINT)]
    assert "connections are closed" in log.lines[-1]
    termination.send_due_signals([worker], due + termination.KILL_AFTER, log)
    assert sent[2:] == [(7, signal.SIGKILL)] and "is killed" in log.lines[-1]


def test_a_shorter_grace_counts_and_no_longer_one(sent):
    worker = Worker(7, 0, None, 0.0)
    termination.terminate(worker, 30)
    due = worker.pending_signals[0][0]
    termination.terminate(worker, 60)
    assert worker.pending_signals[0][0] == due
    termination.terminate(worker, 1)
    assert worker.pending_signals[0][0] < due
    assert sent == [(7, signal.SIGTERM)]


def test_a_worker_that_ends_is_replaced(sent):
    loss = Loss()
    loss.state.served = True
    loss.worker(8)
    loss.worker(7)
    loss.lose(7, KILLED)
    assert "worker 7 ended" in loss.log.lines[-1] and "is replaced" in loss.log.lines[-1]
    assert not loss.state.ending and not sent


def test_a_first_generation_that_cannot_load_is_given_up(sent):
    loss = Loss()
    loss.worker(8)
    loss.lose(7, COULD_NOT_LOAD)
    assert (loss.state.ending, loss.state.exit_code) == (True, 1)
    assert sent == [(8, signal.SIGTERM)]


def test_a_first_generation_that_never_serves_is_given_up(sent):
    loss = Loss()
    for attempt in range(losses.ATTEMPTS):
        assert not loss.state.ending
        loss.lose(7 + attempt, FAILED)
    assert loss.state.ending and "giving up" in loss.log.lines[-1]


def test_a_reload_that_cannot_load_leaves_the_old_workers(sent):
    loss = Loss()
    loss.state.served = True
    loss.state.begin_reload()
    loss.worker(8, generation=0)
    loss.worker(9, generation=1)
    orders = os.open(os.devnull, os.O_WRONLY)
    loss.children.templates[10] = Template(10, 1, orders, 0.0)
    loss.lose(7, COULD_NOT_LOAD, generation=1)
    os.close(orders)
    assert (loss.state.generation, loss.state.reloading) == (0, False)
    assert sorted(sent) == [(9, signal.SIGTERM), (10, signal.SIGTERM)]
    assert loss.notified[0].startswith("READY=1")


def test_the_master_waits_for_what_is_due_first():
    now = process.clock()
    assert 0 < waiting.seconds_until([now + 50, now + 90]) <= 50
    assert waiting.seconds_until([now - 1]) == 0
    assert waiting.seconds_until([float("inf")]) == waiting.LONGEST_WAIT
    assert waiting.seconds_until([]) == waiting.LONGEST_WAIT


def test_the_wait_ends_when_a_descriptor_is_readable():
    reader, writer = os.pipe()
    os.write(writer, b"x")
    assert waiting.wait_until([], [reader]) == [reader]
    os.close(reader)
    os.close(writer)

"""Answers that are ready together are written together, and wait for nothing else."""

import contextlib
import select
import signal

import pytest
from support import PATIENCE
from support.process import wait_until
from standard.message import request

#: So many answers after a slow one are written at once (src/server/gather.rs).
WARY = 1000


@contextlib.contextmanager
def stopped(probe):
    """What is sent meanwhile is there in one turn of the loop."""
    probe.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        probe.send_signal(signal.SIGCONT)


def test_answers_of_one_turn_are_written_together(probe):
    """Each of two requests that the server finds when it wakes is told how much was sent so far.
    A machine that stands still makes them slow ones, so there are more tries."""
    with probe.connect() as first, probe.connect() as second:
        for _ in range(100):
            with stopped(probe):
                for each in first, second:
                    each.send(request("/segments"))
            if first.response().body == second.response().body:
                return
            for _ in range(WARY):
                first.send(request("/"))
                assert first.response().body == b"hello"
    pytest.fail("one of them was always answered before the other was asked")


def test_an_answer_waits_for_no_slow_request(probe, tmp_path):
    """After a slow request, the middle one of three blocks the server until one of the others has
    its answer: whether the loop begins with the first or the last, one of them comes before it."""
    flag = tmp_path / "flag"
    assert probe.request(request("/sleep?0.1")).body == b"slept"
    with contextlib.ExitStack() as stack:
        first, middle, last = [stack.enter_context(probe.connect()) for _ in range(3)]
        for each in first, middle, last:
            each.send(request("/"))
            assert each.response().body == b"hello"
        with stopped(probe):
            for each, target in (first, "/"), (middle, f"/wait?{flag}"), (last, "/"):
                each.send(request(target))
        select.select([first.socket, last.socket], [], [], PATIENCE)
        flag.touch()
        assert middle.response().body == b"seen"
        for each in first, last:
            assert each.response().body == b"hello"


def test_what_is_held_is_written_behind_a_slow_request(probe, tmp_path):
    """Of five requests in one turn the middle one blocks the server until the first or the last is
    answered, which a slow one stands between. Nobody was slow before, so that one is held."""
    flag = tmp_path / "flag"
    with contextlib.ExitStack() as stack:
        five = [stack.enter_context(probe.connect()) for _ in range(5)]
        for each in five:
            for _ in range(WARY // 5):
                each.send(request("/"))
                assert each.response().body == b"hello"
        targets = ["/", "/sleep?0.02", f"/wait?{flag}", "/sleep?0.02", "/"]
        with stopped(probe):
            for each, target in zip(five, targets):
                each.send(request(target))
        select.select([five[0].socket, five[4].socket], [], [], PATIENCE)
        flag.touch()
        told = [each.response().body for each in five]
    assert told == [b"hello", b"slept", b"seen", b"slept", b"hello"]


def test_a_whole_body_is_sent_before_more_is_asked_for(probe, tmp_path):
    """What an application does behind its last item costs its client nothing."""
    flag = tmp_path / "flag"
    with probe.connect() as client:
        client.send(request(f"/whole?{flag}"))
        assert client.response().body == b"all"
        flag.touch()
    wait_until(lambda: probe.journal(str(flag)), "the application to go on")
    assert probe.journal(str(flag)) == ["seen"]

"""Timers, deferred calls, iterators and threads beside requests."""

import re

import pytest


def get(program, target):
    """The body of a GET's answer."""
    return program.exchange(b"GET " + target.encode() + b" HTTP/1.0\r\n\r\n").partition(
        b"\r\n\r\n"
    )[2]


def test_deferred_calls_of_a_request_run_in_order(start_any):
    program = start_any("loop.py")
    assert get(program, "/defer/5") == b"5"
    program.wait_for("deferred", 5)
    calls = [(record["number"], record["left"]) for record in program.of_kind("deferred")]
    assert calls == [(0, 5), (1, 4), (2, 3), (3, 2), (4, 1)]


def test_a_combined_call_is_queued_once(start_any):
    program = start_any("loop.py")
    assert get(program, "/combine") == b"1"
    program.wait_for("deferred")
    assert get(program, "/defer/1") == b"1"
    program.wait_for("deferred", 2)
    assert [record["number"] for record in program.of_kind("deferred")] == ["combined", 0]


def test_a_timer_ticks_until_it_returns_false(start_ours):
    # The original does not own the callback of a timer, and calls what has been given back.
    program = start_ours("loop.py", "forget")
    program.wait_for("timer", 10)
    for _ in range(20):
        get(program, "/tell/x")
    assert len(program.of_kind("timer")) == 10


def test_a_timer_added_by_a_request_never_starts(start_any):
    program = start_any("loop.py")
    assert [get(program, "/timer") for _ in range(12)] == [
        b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9", b"10", b"10", b"10", b"10"]  # fmt: skip
    program.wait_for("timer", 10)
    assert program.of_kind("late timer") == []
    program.stop().check()
    lines = program.stdout.splitlines()
    assert lines.count("Limit of maximum 10 timers has been reached") == 3


@pytest.mark.parametrize("base", [(), ("unset",)], ids=["base module", "no base module"])
@pytest.mark.parametrize(("name", "words"), [("SIGTERM", []), ("SIGINT", ["Bye."])])
def test_timers_without_a_listener(start_any, name, words, base):
    program = start_any("timers_alone.py", name, *base)
    outcome = program.wait().check()
    assert program.of_kind("returned")[0]["answer"] == "None"
    # The next may be due by the time that the loop sees the signal.
    assert [record["number"] for record in program.of_kind("tick")][:5] == [1, 2, 3, 4, 5]
    said = outcome.stdout.splitlines()
    assert said == [said[0], "SIGPIPE encountered !!!! We ignore it.", *words]
    assert re.fullmatch(r"Using \w+ as event backend", said[0])
    if not program.site.is_original:
        assert outcome.stderr == (
            "run() without start(): nothing listens; timers and deferred calls run\n"
        )


def test_two_iterators_take_turns(start_any):
    program = start_any("loop.py")
    with program.connect() as first, program.connect() as second:
        first.send(b"GET /turns/a HTTP/1.0\r\n\r\n")
        program.wait_for("item")
        second.send(b"GET /turns/b HTTP/1.0\r\n\r\n")
        lengths = [len(each.read_to_end().partition(b"\r\n\r\n")[2]) for each in (first, second)]
    assert lengths == [200 * 4096] * 2
    for name in "ab":
        numbers = [record["number"] for record in program.of_kind("item") if record["name"] == name]
        assert numbers == list(range(200))


def test_a_request_is_served_between_two_items(start_ours):
    # One that nobody reads: the original does nothing else until it is read.
    program = start_ours("loop.py")
    with program.connect() as slow:
        slow.send(b"GET /turns/slow HTTP/1.0\r\n\r\n")
        program.wait_for("item")
        for number in range(5):
            assert get(program, f"/tell/{number}") == b"told"
        assert len(slow.read_to_end().partition(b"\r\n\r\n")[2]) == 200 * 4096
    assert len(program.of_kind("item")) == 200


@pytest.mark.parametrize("loaded", [False, True], ids=["idle", "loaded"])
def test_a_thread_makes_progress(start_ours, loaded):
    # The original holds the interpreter's lock for as long as it runs.
    program = start_ours("loop.py")
    assert get(program, "/threads") == b"started"
    if loaded:
        while len(program.of_kind("tick")) < 200:
            assert get(program, "/tell/x") == b"told"
    program.wait_for("tick", 200)
    assert [record["number"] for record in program.of_kind("tick")] == list(range(200))

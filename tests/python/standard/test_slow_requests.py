"""`config.slow_request`: a call that takes longer is logged with its stack, and when it ends.

Every test is causal: the call goes on until its line is seen.
"""

import json
import os
import re

import pytest
from standard.message import request
from support.process import wait_until

TIME = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\]"


@pytest.fixture
def slow(serve_probe):
    """A server for which everything above 50 ms is slow."""

    def slow(**config):
        return serve_probe("slow.py", config={"slow_request": 0.05, **config})

    return slow


def line(server, what, then):
    """The line that says `then` of a call; waits for it."""
    pattern = rf"^{TIME} \[{server.pid}\] \[WARNING\] slow {re.escape(what)} has {then}.*$"
    return wait_until(lambda: re.search(pattern, server.stderr, re.M), f"{what!r} has {then}")


def stack(server, found):
    """The lines behind one, as far as they belong to it."""
    behind = server.stderr[found.end() + 1 :]
    return re.match(r"(?: .*\n)*", behind)[0]


def stats(server):
    return json.loads(server.get("/stats").body)


def test_a_slow_call_is_logged_with_its_stack_and_when_it_ends(slow, tmp_path):
    server, flag = slow(), tmp_path / "flag"
    with server.connect() as client:
        client.send(request(f"/here?{flag}"))
        what = f"request: GET /here?{flag} from 127.0.0.1"
        found = line(server, what, r"taken \d+\.\d s so far; its stack:")
        wait_until(lambda: "in wait_here" in stack(server, found), "the stack")
        flag.touch()
        assert client.response().body == b"here"
    line(server, what, r"ended after \d+\.\d s")
    shown = stack(server, found).splitlines()
    assert shown[-1].strip().startswith(("time.sleep(0.001)", "while time.time()"))
    assert re.fullmatch(r'  File ".*slow\.py", line \d+, in wait_here', shown[-2])
    assert any("in application" in each for each in shown)
    assert server.stderr.count("slow request") == 2
    numbers = stats(server)
    assert numbers["slow_requests"] == 1
    assert numbers["longest_call_ms"] >= 50


def test_quick_ones_are_not(slow):
    server = slow(slow_request=3600)
    assert stats(server)["slow_requests"] == 0
    assert server.stop().check().stderr == ""


@pytest.mark.parametrize("limit", [0, None, float("inf")])
def test_without_the_setting_nothing_is_slow(serve_probe, tmp_path, limit):
    server, flag = serve_probe("slow.py", config={"slow_request": limit}), tmp_path / "flag"
    flag.touch()
    assert server.get(f"/here?{flag}").body == b"here"
    assert stats(server)["calls"] == []
    assert "slow" not in server.stop().check().stderr


def test_the_calls_in_flight_are_known(slow):
    (call,) = stats(slow(slow_request=3600))["calls"]
    assert call.pop("seconds") >= 0
    assert call == {"method": "GET", "target": "/stats", "client": "127.0.0.1"}


@pytest.mark.parametrize(
    ("path", "function", "body"),
    [("/items", "items", b"firstlast"), ("/closes", "close", b"item")],
    ids=["item", "close"],
)
def test_what_takes_its_time_behind_the_call(slow, tmp_path, path, function, body):
    """The next item, and the end of the result."""
    server, flag = slow(), tmp_path / "flag"
    with server.connect() as client:
        client.send(request(f"{path}?{flag}"))
        what = f"request: GET {path}?{flag} from 127.0.0.1"
        found = line(server, what, r"taken .* so far; its stack:")
        wait_until(lambda: f"in {function}" in stack(server, found), "the stack")
        flag.touch()
        assert client.response().body == body
    line(server, what, "ended after")


def test_timers_and_deferred_calls(slow, tmp_path):
    server, flag = slow(), tmp_path / "flag"
    assert server.get(f"/later?{flag}").body == b"later"
    for what in ("timer", "deferred call"):
        line(server, what, r"taken .* so far; its stack:")
        (tmp_path / f"flag-{what.split()[0]}").touch()
        line(server, what, "ended after")


def test_a_call_into_c_that_keeps_the_lock(slow, tmp_path):
    """Nobody else runs Python then: `faulthandler`, or on Python 2 nothing, knows the stack."""
    server, fifo = slow(), tmp_path / "fifo"
    os.mkfifo(fifo)
    with server.connect() as client:
        client.send(request(f"/locked?{fifo}"))
        with open(fifo, "wb", buffering=0) as writer:
            what = f"request: GET /locked?{fifo} from 127.0.0.1"
            found = line(server, what, r"taken .* keeps the interpreter's lock; its stack")
            if server.environment.major == 2:
                assert found[0].endswith("its stack is not known")
            else:
                wait_until(lambda: "in locked" in stack(server, found), "the stack")
                assert "in application" in stack(server, found)
            writer.write(b"x")
            assert client.response().body == b"unlocked"
    line(server, what, "ended after")
    assert server.stderr.count("slow request") == 2
    assert stats(server)["slow_requests"] == 1


def test_each_threads_call_with_its_own_stack(slow, tmp_path, interpreter):
    if interpreter.major == 2:
        pytest.skip("threads need Python 3")
    server = slow(threads=4)
    flags = {name: tmp_path / name for name in ("here", "there")}
    clients = {name: server.connect() for name in flags}
    for name, client in clients.items():
        client.send(request(f"/{name}?{flags[name]}"))
    for name, flag in flags.items():
        found = line(server, f"request: GET /{name}?{flag} from 127.0.0.1", "taken .* stack:")
        wait_until(lambda found=found: "in wait_here" in stack(server, found), "the stack")
        shown = stack(server, found)
        assert f"in {name}\n" in shown and ("in wait_there" in shown) == (name == "there")
    calls = {call["target"]: call["seconds"] for call in stats(server)["calls"]}
    assert set(calls) == {f"/{name}?{flag}" for name, flag in flags.items()} | {"/stats"}
    assert all(calls[f"/{name}?{flag}"] >= 0.05 for name, flag in flags.items())
    # One that begins while the loop waits is seen, too.
    with server.connect() as client:
        client.send(request(f"/here?{tmp_path}/third"))
        line(server, f"request: GET /here?{tmp_path}/third from 127.0.0.1", "taken .* stack:")
        (tmp_path / "third").touch()
        assert client.response().body == b"here"
    for name, flag in flags.items():
        flag.touch()
        assert clients[name].response().body == name.encode()
        line(server, f"request: GET /{name}?{flag} from 127.0.0.1", "ended after")
        clients[name].close()

"""With threads: Python code in every place that the server calls, which does anything, by seeds.

Clients keep the plans of several seeds in flight at a time. At the end each has a whole response,
unless its plan raised; each deferred call was made once, and beside no other; a response stayed in
its thread; and no object that the plans made is left. A failure names the seeds:
`FAPWS_ANYWHERE_SEEDS=17,30-40` picks some, and `FAPWS_ANYWHERE_TIMES=20` plays them as often.
"""

import json
import os
import random
import signal
import threading
import time

import pytest
from standard.message import post, request
from support import PATIENCE
from support.client import ProtocolError
from support.process import wait_until

CLIENTS = 6

#: How many plans are played.
SEEDS = 120


def seeds(first, count):
    """The plans to play, in order."""
    wish = os.environ.get("FAPWS_ANYWHERE_SEEDS")
    chosen = list(range(first, first + count))
    if wish:
        ranges = [word.partition("-") for word in wish.split(",")]
        chosen = [n for a, _, b in ranges for n in range(int(a), int(b or a) + 1)]
    return chosen * int(os.environ.get("FAPWS_ANYWHERE_TIMES", "1"))


class Player(threading.Thread):
    """A client that plays one plan after another, and notes what it should not have met."""

    def __init__(self, server, plans):
        super().__init__()
        self.server, self.plans, self.faults, self.client = server, plans, [], None

    def run(self):
        try:
            for seed in self.plans:
                self.play(seed)
        except Exception as error:
            self.faults.append(f"seed {seed}: {error!r}")
        finally:
            self.leave()

    def leave(self):
        if self.client:
            self.client.close()
        self.client = None

    def play(self, seed):
        draw = random.Random(-seed)
        if not self.client:
            self.client = self.server.connect()
        raw = draw.choice([request, post_one])(f"/?{seed}")
        try:
            if draw.random() < 0.1:
                self.client.send(raw)
                return self.leave()
            count = draw.choice([1, 1, 1, 2])
            self.client.send(raw, *[request("/hello")] * (count - 1))
            answered = self.client.response()
            if answered.status != 200:
                self.expect_cost(seed, f"status {answered.status}")
            if count > 1 and self.client.response().body != b"hello":
                self.faults.append(f"seed {seed}: another response behind it")
            if answered.header("Connection") == "close" or draw.random() < 0.2:
                self.leave()
        except (ProtocolError, OSError) as error:
            self.leave()
            self.expect_cost(seed, repr(error)[:500])
        return None

    def expect_cost(self, seed, what):
        """Whether the application says that its plan cost the response."""
        if not ask(self.server, f"/outcome?{seed}"):
            self.faults.append(f"seed {seed}: {what}")


def post_one(target):
    return post(target, b"b" * 9000)


def ask(server, target):
    response = server.request(request(target, headers=[("Connection", "close")]))
    assert response.status == 200, f"{target}: {response}"
    return json.loads(response.body)


def play(server, plans):
    players = [Player(server, plans[at::CLIENTS]) for at in range(CLIENTS)]
    for player in players:
        player.start()
    for player in players:
        player.join()
    return [fault for player in players for fault in player.faults]


def settle(server):
    """Waits for the last references and deferred calls."""
    ask(server, "/settle")
    deadline = time.monotonic() + PATIENCE
    while True:
        account = ask(server, "/account")
        if not account["left"] and not account["due"]:
            return account
        assert time.monotonic() < deadline, account
        time.sleep(0.01)


@pytest.mark.parametrize("backend", ["best", "select", "poll"])
def test_anything_anywhere_with_threads(interpreter, serve_probe, backend):
    play_and_check(interpreter, serve_probe, backend, 2, seeds(0, SEEDS))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 9000, 1000))
@pytest.mark.parametrize("threads", [2, 5])
def test_more_of_it(interpreter, serve_probe, threads, first):
    backend = ["best", "select", "poll"][first // 1000 % 3]
    play_and_check(interpreter, serve_probe, backend, threads, seeds(first, 500))


def play_and_check(interpreter, serve_probe, backend, threads, plans):
    if interpreter.version[0] < 3:
        pytest.skip("threads need Python 3")
    env = {} if backend == "best" else {"LIBEV_FLAGS": {"select": "1", "poll": "2"}[backend]}
    server = serve_probe("anywhere_threads.py", config={"threads": threads}, env=env)
    try:
        faults = play(server, plans)
        assert not faults, "\n".join(faults)
        account = settle(server)
    except Exception as error:
        if server.alive:
            server.send_signal(signal.SIGUSR2)
            wait_until(lambda: "most recent call first" in server.stderr, "stacks")
        context = f"seeds {plans[0]} to {plans[-1]}: {error}\n{server.stderr[-5000:]}"
        raise AssertionError(context) from error
    assert account == {"left": {}, "due": [], "made twice": [], "violations": []}
    # Those that are in flight when the run ends have their responses too.
    with server.connect() as client:
        client.send(request("/hello") + request(f"/stop?{plans[0]}"))
        assert client.response().body == b"hello"
        assert client.response().body == b"stopping"
    server.wait().check()

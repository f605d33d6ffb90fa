"""Some minutes of good, slow, broken and vanishing clients at once; not part of the ordinary tests.

    .venv-tests/bin/python tests/soak/soak.py [--minutes 3] [--pythons 2.7,3.13]

A good client checks every byte of every answer; one that does not come, or is wrong, is *lost*.
The others do what production sees: heads that drip, bodies that stop, readers that stand still,
bytes that are no HTTP, connections that break at any moment. The server has short timeouts, so
that all of them are met many times. At the end everything must be as at the beginning: the report
tells resident memory, descriptors, what was answered to whom, and lost answers, which must be 0.

The exit code is 0 if nothing was lost, nothing grew, and the server ended in order.
"""

import argparse
import collections
import os
import pathlib
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))

from support import environment, interpreters
from support.client import Client, ProtocolError
from standard.corpus import cases
from standard.message import chunks, post, post_chunked, request, respond
from standard.probe import Peer, Probe

#: Short, but far above what a good client needs on a machine that is busy with this very run.
CONFIG = {
    "header_timeout": 3,
    "body_timeout": 3,
    "write_timeout": 3,
    "keep_alive_timeout": 5,
    "max_connections": 400,
}

#: How much resident memory may grow between the first third of the run and its end, in KiB.
GROWTH = 8 << 10

BROKEN = [case.sent for case in cases() if case.name.startswith("invalid/")]


class Crowd:
    """All clients of one run: threads that do one thing each until the time is over."""

    def __init__(self, server, seed, deadline):
        self.server = server
        self.seed = seed
        self.deadline = deadline
        self.counts = collections.Counter()
        self.lost = []
        self.threads = []

    def add(self, behaviour, count):
        """`count` threads that call `behaviour(draw)` again and again."""
        for number in range(count):
            draw = random.Random(f"{self.seed}-{behaviour.__name__}-{number}")
            thread = threading.Thread(target=self._live, args=(behaviour, draw), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _live(self, behaviour, draw):
        good = behaviour.__name__ == "good"
        while time.monotonic() < self.deadline:
            try:
                behaviour(self, draw)
                self.counts[behaviour.__name__] += 1
            except (OSError, ProtocolError, AssertionError) as error:
                if good:
                    self.lost.append(f"{type(error).__name__}: {error}"[:300])
                else:
                    # The server closed on it, as it should sooner or later.
                    self.counts[f"{behaviour.__name__}, closed by the server"] += 1

    def wait(self):
        for thread in self.threads:
            thread.join(120)
            assert not thread.is_alive(), "a client hangs"


def good(crowd, draw):
    """A connection with a few requests of all kinds, each answer checked to the byte."""
    with crowd.server.connect() as client:
        for _ in range(draw.randrange(1, 30)):
            raw, body = exchange(draw)
            client.send(raw)
            answer = client.response()
            assert answer.status == 200, answer
            assert answer.body == body, f"{len(answer.body)} bytes for {len(body)}"
            crowd.counts["good answers"] += 1


def exchange(draw):
    """A request, and the body that must come."""
    kind = draw.randrange(6)
    size = draw.choice([0, 1, 100, 10_000, 70_000, 500_000])
    if kind == 0:
        return request("/"), b"hello"
    if kind == 1:
        body = draw.randbytes(size)
        return post("/echo?how=read:5000", body), body
    if kind == 2:
        body = draw.randbytes(size)
        return post_chunked("/echo", chunks(body, draw.choice([100, 5000, 70_000]))), body
    shape = draw.choice(["list", "generator", "closing"])
    times = draw.choice([1, 3])
    target = respond(shape=shape, items=[["x", size], "", "end"], times=times)
    return request(target), (b"x" * size + b"end") * times


def dripping_head(crowd, draw):
    """A byte now and then, for longer than the server waits."""
    with crowd.server.connect() as client:
        for byte in request("/", headers=[("X-Slow", "y" * 500)]):
            client.send(bytes([byte]))
            time.sleep(draw.random() / 5)


def stopping_body(crowd, draw):
    """Half a body, which may be in a file by then, and nothing more."""
    with crowd.server.connect() as client:
        size = draw.choice([10, 100_000])
        client.send(request("/digest", "POST", [("Content-Length", str(size))], b"x" * (size // 2)))
        assert client.response().status == 408


def still_reader(crowd, draw):
    """Asks for much and reads nothing until the server gives up."""
    with Peer(crowd.server.address, receive_buffer=65536) as client:
        shape = draw.choice(["closing", "list", "generator"])
        client.send(request(respond(shape=shape, items=[["x", 1 << 20]], times=30)))
        time.sleep(CONFIG["write_timeout"] + 1.5)
        client.read_to_end()


def slow_reader(crowd, draw):
    """Reads all, slowly, and checks that it is all."""
    with Peer(crowd.server.address, receive_buffer=262_144) as client:
        client.send(request(respond(shape="list", items=[["x", 4_000_000]])))
        client.read_until(b"\r\n\r\n")
        for _ in range(40):
            client.read_exactly(100_000)
            time.sleep(draw.random() / 20)


def broken(crowd, draw):
    """What is no HTTP, from the corpus or mutated."""
    data = bytearray(draw.choice(BROKEN))
    for _ in range(draw.randrange(3)):
        data[draw.randrange(len(data))] = draw.randrange(256)
    with Client(crowd.server.address) as client:
        client.send(bytes(data))
        client.half_close()
        client.read_to_end()
    breathe(draw)


def breathe(draw):
    """A moment for the others: this kind of client costs nothing else."""
    time.sleep(draw.random() / 50)


def vanishing(crowd, draw):
    """Goes in the middle of something, in order or not."""
    raw = draw.choice(
        [
            request("/"),
            post("/echo", b"x" * 200_000),
            request(respond(shape="closing", items=[["x", 100_000]], times=20)),
            request(respond(fail="call")),
            request(respond(items=["a", "b"], fail=1)),
        ]
    )
    client = Client(crowd.server.address)
    client.send(raw[: draw.randrange(len(raw) + 1)])
    if draw.random() < 0.5:
        client.socket.setblocking(False)
        try:
            client.socket.recv(draw.choice([1, 1000, 100_000]))
        except BlockingIOError:
            pass
    (client.reset if draw.random() < 0.5 else client.close)()
    breathe(draw)


def idle(crowd, draw):
    """Connects and says nothing, or stays after an answer."""
    with crowd.server.connect() as client:
        if draw.random() < 0.5:
            client.send(request("/"))
            client.response()
        time.sleep(draw.random() * 8)


MIX = [
    (good, 8),
    (dripping_head, 10),
    (stopping_body, 10),
    (still_reader, 6),
    (slow_reader, 3),
    (broken, 3),
    (vanishing, 3),
    (idle, 10),
]


def soak(interpreter, seconds, seed):
    """One run; prints its report and says whether all was well."""
    folder = tempfile.mkdtemp(prefix="fapws-soak-")
    installed = environment.installed(interpreter)
    server = Probe(installed, "probe.py", folder, config=CONFIG).start()
    server.request(request("/"))
    descriptors = server.descriptors
    began = time.monotonic()
    crowd = Crowd(server, seed, began + seconds)
    for behaviour, count in MIX:
        crowd.add(behaviour, count)
    memory, most_descriptors, settled = [], 0, None
    while time.monotonic() < crowd.deadline and server.alive:
        time.sleep(1)
        memory.append(server.resident_kib)
        most_descriptors = max(most_descriptors, server.descriptors)
        if settled is None and time.monotonic() - began > seconds / 3:
            settled = max(memory)
    crowd.wait()
    # Whoever stays silent is let go by a timeout at last.
    patience = time.monotonic() + 30
    while server.descriptors > descriptors and time.monotonic() < patience:
        time.sleep(0.25)
    left = server.descriptors - descriptors
    growth = max(memory[len(memory) * 2 // 3 :]) - settled
    outcome = server.stop()
    crashed = outcome.returncode != 0 or "panicked" in outcome.stderr

    print(f"{interpreter.name}: {seconds:.0f} s, seed {seed}, output in {folder}")
    for name, count in sorted(crowd.counts.items()):
        print(f"  {count:8}  {name}")
    print(f"  {settled:8}  KiB resident at most in the first third")
    print(f"  {growth:8}  KiB more at most in the last third ({GROWTH} are allowed)")
    print(f"  {most_descriptors:8}  descriptors at most, {left} left in the end")
    print(f"  {outcome.returncode:8}  exit code")
    print(f"  {len(crowd.lost):8}  lost answers")
    for error in crowd.lost[:10]:
        print(f"            {error}")
    return not crowd.lost and not crashed and left <= 0 and growth <= GROWTH


def main():
    """Read the command line and run each interpreter in turn."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=3, help="for each interpreter")
    parser.add_argument("--pythons", help="as FAPWS_TEST_PYTHONS; default: those of the tests")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.pythons:
        os.environ["FAPWS_TEST_PYTHONS"] = arguments.pythons
    well = [
        soak(interpreter, arguments.minutes * 60, arguments.seed)
        for interpreter in interpreters.selected()
    ]
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())

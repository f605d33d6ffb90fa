"""`config.slow_request` with a stderr that nobody reads: lines are lost, the server goes on.

The pipe has one page, so it is full with the first byte in it. The tests are causal: what a call in
flight was logged as shows in its last line, for which there is room again.
"""

import fcntl
import json
import os
import signal
import time

import pytest
from standard.message import request
from support import PATIENCE
from support.process import wait_until

F_SETPIPE_SZ = 1031  # Python 3.10 has a name for it


class Unread:
    """A pipe that nobody reads, full unless `drain` was called just now."""

    def __init__(self, path):
        os.mkfifo(path)
        self.path = path
        self.reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        fcntl.fcntl(self.reader, F_SETPIPE_SZ, 4096)
        self.fill()

    def fill(self):
        """What was in it is gone, and a dot is there."""
        while True:
            self.drain()
            try:
                os.write(self.writer, b".")
                return
            except BlockingIOError:
                pass  # a late line

    def drain(self):
        """Empty it; returns what was in it."""
        try:
            return os.read(self.reader, 4096)
        except BlockingIOError:
            return b""

    def close(self):
        os.close(self.reader)
        os.close(self.writer)


@pytest.fixture
def unread(tmp_path):
    pipe = Unread(tmp_path / "pipe")
    yield pipe
    pipe.close()


@pytest.fixture
def server(serve_bounded, unread):
    return serve_bounded("slow.py", redirect=f"2>{unread.path}", config={"slow_request": 0.05})


def stats(server):
    return json.loads(server.get("/stats").body)


def is_logged_while_slow(client, unread, target, fifo, seconds):
    """Whether the call is logged, in vain, before it ends, when it is in flight for so long."""
    unread.fill()
    client.send(request(target))
    with open(fifo, "wb", buffering=0) as writer:
        time.sleep(seconds)
        assert unread.drain() == b".", "a line was written into a full pipe"
        writer.write(b"x")
    assert client.response().status == 200
    line = wait_until(unread.drain, "the last line of a slow call")
    assert b"slow request: GET " + target.encode() in line
    return b"has ended after" in line


@pytest.mark.parametrize("way", ["read", "locked"])
def test_the_line_of_a_call_in_flight_is_lost(server, unread, tmp_path, way):
    """A thread of Python's writes it, or the monitor where a call into C keeps the lock."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    seconds = 0.2
    with server.connect() as client:
        while not is_logged_while_slow(client, unread, f"/{way}?{fifo}", fifo, seconds):
            seconds *= 2
            assert seconds < PATIENCE, "the call was never logged while it was slow"
    unread.fill()
    assert server.get("/stats").status == 200
    server.stop().check()


def test_a_slow_call_in_flight_has_its_response_at_the_graceful_end(server, unread, tmp_path):
    for number in range(3):
        flag = tmp_path / f"flag{number}"
        with server.connect() as client:
            client.send(request(f"/counted?{flag}"))
            wait_until(flag.exists, "the call to be counted as slow")
            if number == 2:
                server.send_signal(signal.SIGTERM)
            assert client.response().body == b"counted"
    assert unread.drain() == b"."
    server.wait().check()


def test_others_are_served_beside_it(serve_bounded, unread, tmp_path, interpreter):
    if interpreter.major == 2:
        pytest.skip("threads need Python 3")
    settings = {"slow_request": 0.05, "threads": 2}
    server = serve_bounded("slow.py", redirect=f"2>{unread.path}", config=settings)
    flag = tmp_path / "flag"
    with server.connect() as client:
        client.send(request(f"/here?{flag}"))
        wait_until(lambda: stats(server)["slow_requests"], "the call to be counted")
        for _ in range(100):
            assert stats(server)["slow_requests"] == 1
        flag.touch()
        assert client.response().body == b"here"
    server.stop().check()

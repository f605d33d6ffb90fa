"""The monitor's thread is no child's: forks before `run`, and while it sends, on each backend."""

import os
import pathlib
import re
import signal

import pytest
from standard.message import request
from support.process import wait_until

TIMES, ITEM = 40, 1000


@pytest.mark.parametrize(
    "path", ["/items?exit", "/items?return", "/items?stats", "/items?log", "/write?exit",
             "/write?write", "/write?stats"]
)  # fmt: skip
def test_a_fork_while_it_sends(serve_probe, tmp_path, path):
    log = tmp_path / "access.log"
    server = serve_probe("forking.py", config={"access_log": str(log), "slow_request": 3600})
    for _ in range(3):
        body = server.request(request(path, headers=[("Connection", "close")])).body
        assert body == b"x" * (TIMES * ITEM)
    assert server.get("/").body == b"%d" % server.pid
    server.stop().check()
    assert log.read_text().count("\n") == 4


def children(pid):
    path = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


def status(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text()


def catches(pid):
    """Whether a process is in `run`: it has a handler for SIGTERM."""
    found = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"SigCgt:\s+(\w+)", found).group(1), 16) >> (signal.SIGTERM - 1) & 1


@pytest.mark.parametrize("flags, backend", [("1", "select"), ("2", "poll"), ("4", "epoll")])
def test_a_fork_before_run(serve_probe, flags, backend):
    """Both serve, each with a monitor of its own."""
    env = {"LIBEV_FLAGS": flags, "FORKED_BEFORE_RUN": "1"}
    server = serve_probe("forking.py", env=env)
    (child,) = children(server.pid)
    try:
        for _ in range(6):
            assert server.get("/items?exit").body == b"x" * (TIMES * ITEM)
        wait_until(lambda: catches(child), "the child to serve")
    finally:
        os.kill(child, signal.SIGTERM)
    # Its parent does not wait for it before the end.
    wait_until(lambda: " Z " in status(child), "the child to end")
    assert server.get("/").body == b"%d" % server.pid
    assert server.stop().check().stdout.count(f"Using {backend} as event backend") == 2


@pytest.mark.parametrize("flags, backend", [("1", "select"), ("2", "poll")])
def test_what_is_ready_does_not_wait_on_other_backends(serve_probe, tmp_path, flags, backend):
    server = serve_probe("monitor.py", env={"LIBEV_FLAGS": flags})
    flag = tmp_path / "flag"
    for way in ("stream", "write"):
        with server.connect() as client:
            client.send(request("/") + request(f"/{way}?{flag}"))
            assert client.response().body == b"hello"
            client.read_until(b"first\r\n")
            flag.touch()
            client.read_until(b"seen\r\n")
        flag.unlink()
    assert f"Using {backend} as event backend" in server.stop().check().stdout

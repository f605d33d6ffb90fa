"""With threads a response whose items are there at once stays in the thread that holds the loop."""

import contextlib
import pathlib
import re

import pytest
from standard.message import request

pytestmark = pytest.mark.quiet

ROUNDS, CLIENTS = 100, 64


def waits(server):
    """How often the threads of the server have waited for anything."""
    total = 0
    for task in pathlib.Path(f"/proc/{server.pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            status = (task / "status").read_text()
            total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M).group(1))
    return total


def test_many_streams_are_no_reason_to_change_threads(interpreter, serve_probe):
    """A thread with an open stream makes way for each call: that was eight waits a response."""
    if interpreter.version[0] < 3:
        pytest.skip("threads need Python 3")
    server = serve_probe("monitor.py", config={"threads": 64})
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(CLIENTS)]
        before = waits(server)
        for _ in range(ROUNDS):
            for client in clients:
                client.send(request("/ten"))
            for client in clients:
                assert client.response().body == b"item" * 10
        waited = waits(server) - before
    # The loop may wait for each request.
    assert waited < 2 * ROUNDS * CLIENTS, waited

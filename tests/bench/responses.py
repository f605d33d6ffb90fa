"""Is the response right? Checked with a plain client before anything is measured.

A fast wrong response is no result: a server whose status, body or connection handling differs from
the scenario's is not measured in it, and the table says why.
"""

import socket
import time

from support.client import Client, ProtocolError
from scenarios import CHUNKS, SLOW, request

#: Seconds that a correct response may take on a loaded machine.
PATIENCE = 10
#: Seconds for a line to be in the access log.
LOG_PATIENCE = 2
#: How many of a scenario's quick and slow requests are checked.
KINDS = 4
#: A server that gathers chunks is found out by the application giving up first (apps/plain.py).
GATHERING_PATIENCE = 3


class WrongResponse(Exception):
    """What came back is not what the scenario wants."""


def check(server, scenario):
    """Send what the load will send, twice where the connection is kept; raises `WrongResponse`."""
    for each in _kinds(scenario):
        _check(server, scenario, each)


def _kinds(scenario):
    """Some of the scenario's requests, the slow ones too."""
    beside = [scenario.beside.request] if scenario.beside else []
    return [*scenario.requests[:KINDS], *scenario.slow[:KINDS], *beside]


def _check(server, scenario, message):
    expected = SLOW if message in scenario.slow else scenario.expected
    try:
        with Client(("127.0.0.1", server.port), patience=PATIENCE) as client:
            for _ in range(2 if scenario.keeps else 1):
                client.send(message * scenario.depth)
                for _ in range(scenario.depth):
                    _compare(client.response(), expected)
            if not scenario.keeps and not client.at_end():
                raise WrongResponse("the connection is not closed")
    except (ProtocolError, OSError) as failure:
        raise WrongResponse(str(failure)[:200] or type(failure).__name__) from None


def _compare(response, expected):
    if response.status != 200:
        raise WrongResponse(f"status {response.status}")
    if response.body != expected:
        shown = response.body[:60] + b"..." * (len(response.body) > 60)
        raise WrongResponse(f"body of {len(response.body)} bytes: {shown!r}")


def logged(server):
    """Whether the access log has lines for the requests so far; no log wanted is right too."""
    if server.access_log is None:
        return True
    deadline = time.monotonic() + LOG_PATIENCE
    while time.monotonic() < deadline:
        for path in (server.access_log, server.output):
            if path.exists() and b"GET / " in path.read_bytes():
                return True
        time.sleep(0.05)
    return False


def sends_each_chunk(server):
    """Whether each chunk of a generator is on the wire before the next one is asked for.

    The application waits with every chunk until this client has acknowledged the one before; a
    server that gathers them brings that to a stand, and the application gives up.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        line.settimeout(GATHERING_PATIENCE)
        target = f"/?ack={line.getsockname()[1]}"
        with Client(("127.0.0.1", server.port), patience=GATHERING_PATIENCE) as client:
            client.send(request(target=target, headers={"Connection": "close"}))
            try:
                for i, chunk in enumerate(CHUNKS):
                    client.read_until(chunk)
                    if i + 1 < len(CHUNKS):
                        _, application = line.recvfrom(64)
                        line.sendto(b"here", application)
            except (ProtocolError, OSError):
                return False
    return True

"""Is the answer right? Asked with a plain client before anything is measured.

A fast wrong answer is no result: a server whose status, body or connection handling differs from
the scenario's is not measured in it, and the table says why.
"""

import socket

from support.client import Client, ProtocolError
from scenarios import CHUNKS, request

#: Seconds that a correct answer may take on a loaded machine.
PATIENCE = 10
#: A server that gathers chunks is found out by the application giving up first (apps/plain.py).
GATHERING_PATIENCE = 3


class WrongAnswer(Exception):
    """What came back is not what the scenario asks for."""


def check(server, scenario):
    """Ask as the load will ask, twice where the connection is kept; raises `WrongAnswer`."""
    try:
        with Client(("127.0.0.1", server.port), patience=PATIENCE) as client:
            for _ in range(2 if scenario.keeps else 1):
                client.send(scenario.request * scenario.depth)
                for _ in range(scenario.depth):
                    _compare(client.response(), scenario)
            if not scenario.keeps and not client.at_end():
                raise WrongAnswer("the connection is not closed")
    except (ProtocolError, OSError) as failure:
        raise WrongAnswer(str(failure)[:200] or type(failure).__name__) from None


def _compare(response, scenario):
    if response.status != 200:
        raise WrongAnswer(f"status {response.status}")
    if response.body != scenario.answer:
        shown = response.body[:60] + b"..." * (len(response.body) > 60)
        raise WrongAnswer(f"body of {len(response.body)} bytes: {shown!r}")


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

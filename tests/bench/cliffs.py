"""Does a request ever wait for a delayed acknowledgement?

A kernel may hold back the ACK of received data for 40 ms. Whoever waits for that ACK stands still:
a server that writes an answer in small pieces with Nagle's algorithm on, or one whose client does
the same with a request, while the server reads without answering. Here one client asks in every
way that is known to lead there, one request after another on one connection, since a new
connection's first packets are acknowledged at once. Neither throughput nor a busy machine shows
this; the longest single wait does.

A server whose other end must not stand still acknowledges at once what does not yet make a whole
request (TCP_QUICKACK).
"""

import socket
import time
from dataclasses import dataclass

from support.client import Client, ProtocolError
from scenarios import FORM, request

#: A wait this long, in seconds, is a delayed acknowledgement's (40 ms), not the work's.
CLIFF = 0.035
REQUESTS = 20
PATIENCE = 5
#: How long the client waits for a 100 before it sends the body all the same.
CONTINUE_PATIENCE = 1.0
SLOW_PIECE, SLOW_PAUSE, SLOW_BUFFER = 16384, 0.001, 65536


@dataclass(frozen=True)
class Waits:
    """The longest wait of a probe, in seconds, and how many of its waits were cliffs."""

    longest: float
    cliffs: int
    failure: str = ""


def probe(server):
    """Every probe against a running server of `plain:probes`; returns `Waits` by probe's name."""
    return {name: _waits(server, ask, nagle) for name, (ask, nagle) in PROBES.items()}


def _waits(server, ask, nagle):
    waits = []
    try:
        with Client(("127.0.0.1", server.port), patience=PATIENCE) as client:
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, not nagle)
            for _ in range(REQUESTS):
                waits.append(ask(client))
    except (ProtocolError, OSError) as failure:
        told = f"after {len(waits)}: {failure}"[:80]
        return Waits(max(waits, default=0.0), sum(each >= CLIFF for each in waits), told)
    return Waits(max(waits), sum(each >= CLIFF for each in waits))


def _timed(client, *pieces, answers=1):
    begun = time.monotonic()
    client.send(*pieces)
    for _ in range(answers):
        client.response()
    return time.monotonic() - begun


def _post_in_three(client):
    whole = request("POST", "/post", body=FORM)
    head = whole.index(b"\r\n\r\n") + 4
    return _timed(client, whole[:head], whole[head : head + 7], whole[head + 7 :])


def _head_in_three(client):
    whole = request(target="/hello")
    return _timed(client, whole[:1], whole[1:9], whole[9:])


def _byte_by_byte(client):
    whole = request(target="/hello")
    return _timed(client, *(whole[i : i + 1] for i in range(len(whole))))


def _pair(client):
    return _timed(client, request(target="/hello") * 2, answers=2)


def _expecting(client):
    """The body follows once the server said 100, as curl does it."""
    whole = request("POST", "/post", {"Expect": "100-continue"}, FORM)
    head = whole.index(b"\r\n\r\n") + 4
    begun = time.monotonic()
    client.send(whole[:head])
    client.socket.settimeout(CONTINUE_PATIENCE)
    try:
        interim = client.response()
    except TimeoutError:
        interim = None
    client.socket.settimeout(PATIENCE)
    client.send(whole[head:])
    if interim is None or interim.status == 100:
        answer = client.response()
        if answer.status == 100:
            client.response()
    return time.monotonic() - begun


def _slow_reader(client):
    """The longest that one read had to wait while a large body is taken in small sips."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER)
    client.send(request(target="/body"))
    head = client.read_until(b"\r\n\r\n").lower()
    left = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
    longest = 0.0
    while left:
        begun = time.monotonic()
        piece = client.read_exactly(min(left, SLOW_PIECE))
        longest = max(longest, time.monotonic() - begun)
        left -= len(piece)
        time.sleep(SLOW_PAUSE)
    return longest


def _get(target):
    return lambda client: _timed(client, request(target=target))


#: What is asked, and whether the client has Nagle's algorithm on, as a plain socket does.
PROBES = {
    "POST in three writes, Nagle": (_post_in_three, True),
    "POST in three writes": (_post_in_three, False),
    "head in three writes, Nagle": (_head_in_three, True),
    "head byte by byte": (_byte_by_byte, False),
    "Expect: 100-continue": (_expecting, True),
    "two requests at once": (_pair, True),
    "odd chunks, generator": (_get("/chunks"), True),
    "odd chunks, list": (_get("/list"), True),
    "1 MiB file": (_get("/file"), True),
    "1 MiB body": (_get("/body"), True),
    "1 MiB body, slow reader": (_slow_reader, True),
}

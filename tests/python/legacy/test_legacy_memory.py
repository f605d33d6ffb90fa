"""A server that has answered a great many requests of every kind holds no more than after a few.

FAPWS_TEST_REQUESTS is how many requests; the specification's number is 200,000, an ordinary run
makes do with some fifty of each kind, more than may stay by accident.
"""

import json
import os
import socket

import pytest
from support.process import wait_until
from legacy.cases import ANSWERS, BODIES, HEADERS, TARGETS, request

pytestmark = pytest.mark.each_major

REQUESTS = int(os.environ.get("FAPWS_TEST_REQUESTS", "14000"))
WARM_UP = 1000
#: Objects, or references of one, that may have come or gone for another reason.
ACCIDENTS = 30

#: Answers that are long, so that the time goes into something else.
LONG = set(
    "list_of_long long_file generator_of_long long_error header_longer open_with_io "
    "file_partly_read file_after_readline pipe_file".split()
)


def kinds():
    """(bytes, whether to half-close, whether to read the answer) of every kind of request."""
    found = []
    for name in ANSWERS:
        if name not in LONG:
            found.append((request(b"GET", b"/answer/" + name.encode()), False, True))
    for method in (b"HEAD", b"POST"):
        for name in (
            "list_of_many",
            "file",
            "generator",
            "closing_iterator",
            "value_error",
            "none",
        ):
            found.append((request(method, b"/answer/" + name.encode(),
                                  headers=b"Content-Length: 0\r\n"), False, True))  # fmt: skip
    for name, target in TARGETS.items():
        if name != "longer than a read":
            found.append((request(b"GET", target), False, True))
    for headers in HEADERS.values():
        found.append((request(b"GET", b"/echo", headers=headers), False, True))
    for name, (headers, body) in BODIES.items():
        if name != "longer than a read":
            found.append((request(b"POST", b"/echo", headers=headers, body=body), True, True))
    found += [
        (b"OPTIONS * HTTP/1.1\r\n\r\n", False, True),
        (b"PUT /echo HTTP/1.1\r\n\r\n", False, True),
        (b"GET /deferred HTTP/1.1\r\n\r\n", False, True),
        (b"garbage\r\n\r\n", False, True),
        (b"\0\0\r\n\r\n", True, True),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nshort", True, True),
        (b"GET /echo HTTP/1.1\r\nHost: ", True, True),
        (b"", True, True),
        (b"", False, False),
        (b"GET /answer/long_generator HTTP/1.1\r\n\r\n", False, False),
        (b"GET /answer/long_file HTTP/1.1\r\n\r\n", False, False),
        (b"GET /answer/generator_of_long HTTP/1.1\r\n\r\n", False, False),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nshort", False, False),
    ]
    return found


def send(address, data, half_close, read):
    """One request on one connection."""
    # Half of the time of create_connection goes into looking the address up.
    with socket.socket() as client:
        client.settimeout(60)
        client.connect(address)
        client.sendall(data)
        try:
            if half_close:
                client.shutdown(socket.SHUT_WR)
            while read and client.recv(65536):
                pass
        except ConnectionError:
            pass  # a page was sent before all of a request was read


def held(program):
    """What the process holds: objects, references, descriptors, memory in KiB."""
    holds = json.loads(program.exchange(b"GET /holds HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")[2])
    return {**holds, "descriptors": program.descriptors, "resident": program.resident_kib}


@pytest.mark.parametrize("base", ["stock", "own"])
def test_nothing_is_kept(start_ours, base):
    program = start_ours("kinds.py", base)
    every_kind = kinds()
    for number in range(WARM_UP):
        send(program.address, *every_kind[number % len(every_kind)])
    before = held(program)
    for number in range(WARM_UP, REQUESTS):
        send(program.address, *every_kind[number % len(every_kind)])
    # Those whose clients left without a word may still be on their way out.
    wait_until(lambda: program.descriptors <= before["descriptors"], "connections to be closed")
    after = held(program)
    assert abs(after["objects"] - before["objects"]) < ACCIDENTS
    drift = [a - b for a, b in zip(after["references"], before["references"])]
    assert max(map(abs, drift)) < ACCIDENTS, drift
    assert after["resident"] - before["resident"] < 2048

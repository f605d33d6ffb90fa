"""Clients that take their answer slowly, or not at all, cost the others nothing.

The original waits for such a client with the whole server, at full speed of one processor.
"""

import contextlib
import socket
import time

import pytest
from support.process import wait_until

pytestmark = pytest.mark.each_major

CONTENT = b"".join(b"%07d\n" % number for number in range(1024 * 1024 // 8))
KINDS = pytest.mark.parametrize("kind", ["list", "file", "generator", "string"])


@contextlib.contextmanager
def slow_client(program, kind):
    """A connection with the smallest receive buffer there is, that has asked and not yet read."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        client.settimeout(60)
        client.connect(program.address)
        client.sendall(f"GET /{kind} HTTP/1.0\r\n\r\n".encode())
        yield client


def small(program):
    """Whether a quick client gets its answer."""
    return program.exchange(b"GET /small HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\nsmall")


def rest(client):
    """What is still to come, to its end, no longer slowly."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    received = b""
    while data := client.recv(65536):
        received += data
    return received


@pytest.mark.wire
@KINDS
def test_others_are_served_while_one_reads_80_bytes_at_a_time(start_ours, kind):
    program = start_ours("large.py")
    with slow_client(program, kind) as client:
        received = b""
        for _ in range(50):
            received += client.recv(80)
            assert small(program)
        # Nothing of what was read slowly is lost or doubled.
        received += rest(client)
    assert received.partition(b"\r\n\r\n")[2] == CONTENT


@pytest.mark.wire
@KINDS
def test_many_that_do_not_read_hold_nobody_up(start_ours, kind):
    program = start_ours("large.py")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(slow_client(program, kind)) for _ in range(20)]
        assert all(small(program) for _ in range(50))
        for client in clients:
            assert rest(client).partition(b"\r\n\r\n")[2] == CONTENT


def test_an_iterator_is_not_drawn_ahead_of_its_client(start_ours):
    program = start_ours("large.py")
    with slow_client(program, "generator") as client:
        program.wait_for("item")
        assert all(small(program) for _ in range(50))
        # What the kernel's buffer took, and no more.
        asked = len(program.of_kind("item"))
        assert all(small(program) for _ in range(50))
        assert len(program.of_kind("item")) == asked < 256
        rest(client)
    assert len(program.of_kind("item")) == 256


@pytest.mark.wire
@KINDS
def test_waiting_for_a_client_takes_no_processor_time(start_ours, kind):
    program = start_ours("large.py")
    with slow_client(program, kind):
        assert small(program)
        before = program.cpu_seconds
        time.sleep(1.0)
        assert program.cpu_seconds - before < 0.5


def test_one_that_leaves_has_its_iterator_closed(start_ours):
    program = start_ours("large.py")
    with slow_client(program, "generator") as client:
        program.wait_for("item")
        client.recv(80)
    # The server learns of it when it writes, so others need not come by.
    assert program.wait_for("close")["position"] < 1024 * 1024
    assert small(program)


@pytest.mark.wire
@KINDS
def test_ones_that_leave_are_forgotten(start_ours, kind):
    program = start_ours("large.py")
    assert small(program)
    before = program.descriptors
    for _ in range(20):
        with slow_client(program, kind) as client:
            client.recv(80)
    wait_until(
        lambda: program.descriptors <= before, "the descriptors of lost clients to be closed"
    )
    assert small(program)

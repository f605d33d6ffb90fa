"""What idle connections cost: memory for each, wake-ups, and whether they slow down the others.

Each connection is opened, has one hello, and then stays silent. Memory is what the server's
processes have for themselves, before and after; the kernel's own buffers are no part of it.
"""

import resource
import socket
import time
from dataclasses import dataclass
from statistics import median

import accounts
import load

CONNECTIONS = 5000
#: Descriptors besides the connections that this process and the server need.
RESERVE = 200
PATIENCE = 10
#: Seconds for a server to notice that nothing comes, and for which its wake-ups are counted then.
SETTLE, QUIET = 1, 2


@dataclass(frozen=True)
class Idle:
    """Memory of one idle connection, how many survived, and hello's cost without and with them."""

    kib_each: float
    held: int
    alone_us: float
    beside_us: float
    #: How often a second the server's threads woke up while nothing came in.
    wake_ups: float

    @property
    def slowdown(self):
        """Hello's cost beside the idle connections, as a multiple of its cost without."""
        return self.beside_us / self.alone_us


def allow_descriptors():
    """Raise this process's limit, which servers inherit, to what the connections need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + RESERVE
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise OSError(f"the limit of open files is {hard}: {wanted} are needed")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def measure(server, scenario, rounds, seconds, request_file):
    """Hello without and with the connections, in turns, on one running server; returns `Idle`."""

    def cost():
        return load.measure(server, scenario, seconds, request_file).cpu_us

    cost()  # the load's own connections have their memory now
    alone, beside, grown, held, wake_ups = [], [], [], [], []
    for _ in range(rounds):
        alone.append(cost())
        before = accounts.private_kib(server.session)
        connections = _open(server.port, scenario)
        try:
            grown.append(accounts.private_kib(server.session) - before)
            wake_ups.append(_wake_ups(server))
            beside.append(cost())
            held.append(sum(_is_open(each) for each in connections))
        finally:
            for each in connections:
                each.close()
    # Memory of the first time: later connections find what earlier ones left.
    return Idle(grown[0] / CONNECTIONS, min(held), median(alone), median(beside), median(wake_ups))


def _wake_ups(server):
    time.sleep(SETTLE)
    before = accounts.switches(server.session)
    time.sleep(QUIET)
    return max(0, accounts.switches(server.session) - before) / QUIET


def _open(port, scenario):
    connections = []
    try:
        for _ in range(CONNECTIONS):
            connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
            connections.append(connection)
            connection.sendall(scenario.request)
            received = b""
            while not received.endswith((scenario.expected, b"0\r\n\r\n")):
                piece = connection.recv(4096)
                if not piece:
                    break
                received += piece
    except OSError:
        for each in connections:
            each.close()
        raise
    return connections


def _is_open(connection):
    connection.setblocking(False)
    try:
        return bool(connection.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False

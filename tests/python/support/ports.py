"""Ports for servers that cannot be asked which one the kernel gave them.

They lie below those that the kernel gives to connections and to port 0, so that nothing else on
the machine takes one between the choice and the bind, and begin at a random place, so that two test
processes hardly ever choose the same.
"""

import pathlib
import random
import socket

LOWEST = 10_000


def free_port(host="127.0.0.1"):
    """A port of `host` that nobody listens on now."""
    (port,) = free_ports(1, host)
    return port


def free_ports(count, host="127.0.0.1"):
    """As many different ports, in a list."""
    end = _first_of_the_kernels()
    ports = []
    first = random.SystemRandom().randrange(LOWEST, end)
    for port in [*range(first, end), *range(LOWEST, first)]:
        try:
            socket.create_server((host, port)).close()
        except OSError:
            continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise AssertionError(f"fewer than {count} free ports between {LOWEST} and {end}")


def _first_of_the_kernels():
    """The first port that the kernel chooses by itself."""
    try:
        text = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    except OSError:
        return 32_768  # Linux's own default, and below that of others
    return max(int(text.split()[0]), LOWEST + 10_000)

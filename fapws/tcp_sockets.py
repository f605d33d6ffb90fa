"""Listening sockets of TCP: one for each address of a host, all on one port.

Raises AddressError with what went wrong and what helps, in the words of the command.
"""

import errno
import os
import socket

from fapws.listener import AddressError, Listener
from fapws.pipes import close_on_exec

#: What says that this machine has no such address: no fault where a name has others.
_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)

#: How often a free port is looked for that is free in both families.
_PORT_ATTEMPTS = 20


def listen_tcp(host, port, backlog):
    """The Listeners of a host; of all this machine's addresses where it is empty. AddressError."""
    shown = url(host or "*", port)
    try:
        flags = socket.AI_PASSIVE
        found = socket.getaddrinfo(
            host or None, port, socket.AF_UNSPEC, socket.SOCK_STREAM, 0, flags
        )
    except socket.gaierror as error:
        raise AddressError("cannot listen on %s: %s" % (shown, error.args[1]))
    except UnicodeError:
        raise AddressError("cannot listen on %s: there is no such name" % shown)
    addresses = []
    for family, kind, protocol, _, address in found:
        if (family, kind, protocol, address) not in addresses:
            addresses.append((family, kind, protocol, address))
    for attempt in range(_PORT_ATTEMPTS):
        try:
            return _listen_each(host, port, addresses, backlog)
        except (OSError, socket.error) as error:
            is_last = attempt == _PORT_ATTEMPTS - 1
            if port or error.errno != errno.EADDRINUSE or is_last:
                raise AddressError("cannot listen on %s: %s" % (
                    shown, _reason(error.errno, port)))


def _listen_each(host, port, addresses, backlog):
    """A Listener for each address that this machine has, all on one port; OSError."""
    opened = []
    absent = None
    try:
        for family, kind, protocol, address in addresses:
            address = (address[0], port) + address[2:]
            alone = len(addresses) == 1
            try:
                descriptor, port = _bound(family, kind, protocol, address, backlog, alone)
            except (OSError, socket.error) as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error
            else:
                opened.append((descriptor, host or address[0]))
        if not opened:
            raise absent
    except BaseException:
        for descriptor, _ in opened:
            os.close(descriptor)
        raise
    shown = url(host or "*", port)
    return [Listener(shown, descriptor, name, str(port)) for descriptor, name in opened]


def _bound(family, kind, protocol, address, backlog, alone):
    """The descriptor of a socket that listens, and its port.

    An IPv6 socket that is not alone leaves IPv4 to the other one.
    """
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and not alone:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(backlog)
        descriptor = os.dup(listener.fileno())
        close_on_exec(descriptor)
        return descriptor, listener.getsockname()[1]
    finally:
        listener.close()


def _reason(code, port):
    if code == errno.EADDRINUSE:
        return ("the port is already in use: stop the other server, or choose another port with "
                "--bind")
    if code == errno.EACCES and port < 1024:
        return ("%s; ports below 1024 need root: choose another, or use systemd's socket "
                "activation" % os.strerror(code))
    return os.strerror(code)


def url(host, port):
    """An address, for people."""
    return "http://%s:%s" % ("[%s]" % host if ":" in host else host, port)

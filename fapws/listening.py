"""The addresses that the command listens on: their notation, and who opens the sockets.

Owns `--bind` and what systemd or another master hands over. Accepts nothing: the core does, in the
workers, on what is opened here before they are forked, so that all of them share one queue and a
worker that ends leaves nobody waiting in a queue of its own.
"""

import os
import re
import socket

from fapws.listener import AddressError, Listener, UnixListener
from fapws.pipes import close_on_exec
from fapws.tcp_sockets import listen_tcp, url
from fapws.unix_sockets import listen_unix

#: Connections that may wait to be accepted: as many as the kernel's own limit (somaxconn) lets.
BACKLOG = 65535

#: The first descriptor of socket activation: behind stdin, stdout and stderr (sd_listen_fds(3)).
FIRST_INHERITED = 3

#: More than any descriptor, and less than a C int.
_MOST = 10 ** 9

_NOTATIONS = "HOST:PORT, [IPV6]:PORT, :PORT, unix:PATH, fd://NUMBER"


def listen(address, backlog=None):
    """The Listeners on an address as `--bind` has it; AddressError.

    A name has one for each of its addresses; no host means all of this machine, IPv4 and IPv6.
    """
    listeners = _listen(address, backlog or BACKLOG)
    for listener in listeners:
        listener.bind = address
    return listeners


def _listen(address, backlog):
    if address.startswith("fd://"):
        return [adopt(address[5:])]
    if address.startswith("unix:"):
        return [listen_unix(address[5:], backlog)]
    host, port = _host_and_port(address)
    return listen_tcp(host, port, backlog)


def shown(listeners):
    """The addresses of listeners, for people, each once."""
    found = []
    for listener in listeners:
        if listener.shown not in found:
            found.append(listener.shown)
    return found


def adopt_handed(bind, shown, descriptor, name, port, path):
    """The Listener that another master has handed over; the file of a unix socket remains its own.
    """
    close_on_exec(descriptor)
    if path is None:
        listener = Listener(shown, descriptor, name, port)
    else:
        listener = UnixListener(shown, descriptor, path)
        listener.disown()
    listener.bind = bind
    return listener


def inherited(environ):
    """The Listeners that systemd opened for this very process (LISTEN_PID and LISTEN_FDS)."""
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    try:
        count = int(environ.get("LISTEN_FDS", "0"))
    except ValueError:
        raise AddressError("LISTEN_FDS is %r, not a number" % environ["LISTEN_FDS"])
    return [adopt(str(FIRST_INHERITED + each)) for each in range(count)]


def adopt(number):
    """The Listener of a socket that somebody else opened."""
    descriptor = _number(number, _MOST)
    if descriptor is None:
        raise AddressError("fd://%s: a descriptor is a number, as in fd://3" % number)
    try:
        # The family is not known yet, and does not matter to the question.
        wrapper = socket.fromfd(descriptor, socket.AF_UNIX, socket.SOCK_STREAM)
    except (OSError, socket.error) as error:
        raise AddressError("fd://%s: %s" % (number, os.strerror(error.errno)))
    try:
        if not wrapper.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise AddressError("fd://%s is a socket that does not listen" % number)
        name = wrapper.getsockname()
    except socket.error as error:
        raise AddressError("fd://%s: %s" % (number, os.strerror(error.errno)))
    finally:
        wrapper.close()
    close_on_exec(descriptor)
    if isinstance(name, tuple):
        return Listener(url(*name[:2]), descriptor, name[0], str(name[1]))
    return Listener("fd://" + number, descriptor, "localhost", "80")


def _host_and_port(address):
    matched = re.match(r"(?:\[([^\]]*)\]|([^:\[\]/]*)):([^:]+)$", address)
    if not matched:
        raise AddressError("invalid address %r: write one of %s%s" % (
            address, _NOTATIONS, _correction(address)))
    host = matched.group(2) if matched.group(1) is None else matched.group(1)
    port = _number(matched.group(3), 65535)
    if port is None:
        raise AddressError("%r: a port is a number from 0 to 65535" % address)
    return host, port


def _number(text, most):
    """A number in digits, at most this one, or None."""
    # Not isdigit(), which knows digits that int() does not.
    if not re.match("[0-9]{1,10}$", text) or int(text) > most:
        return None
    return int(text)


def _correction(address):
    if address.isdigit():
        return "; did you mean 127.0.0.1:%s?" % address
    if "//" in address:
        return "; did you mean %s?" % address.split("//", 1)[1].rstrip("/")
    if "/" in address:
        return "; did you mean unix:%s?" % address
    if address.count(":") > 1:
        host, _, port = address.rpartition(":")
        return "; an IPv6 address needs brackets: [%s]:%s" % (host, port)
    return "; did you mean %s:8000?" % address

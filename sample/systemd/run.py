#!/usr/bin/env python
"""A server that systemd starts, watches and hands its sockets to.

    systemd-socket-activate -l 8080 python run.py

    curl http://127.0.0.1:8080/

For a whole machine, as root: this file to /srv/fapws, the two units to /etc/systemd/system, then

    systemctl enable --now fapws.socket

systemd opens the port and keeps it: while this program is restarted, clients wait and none is
rejected, and a port below 1024 needs no root here. Started by hand the program listens on its own
(`python run.py 8080`).
"""
import os
import socket
import sys

import fapws._evwsgi as evwsgi
from fapws import base

FIRST_DESCRIPTOR = 3  # sd_listen_fds(3): behind stdin, stdout and stderr


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello from a unit!\n"]


def inherited_descriptors():
    """The listening sockets that systemd opened for this very process."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    return range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(os.environ["LISTEN_FDS"]))


def tell_systemd(words):
    """Send a state to systemd, sd_notify(3), if it wants them."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        messenger = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # An address that begins with @ stands for a name in the abstract namespace.
        messenger.sendto(words, address.replace("@", "\0", 1))
        messenger.close()


def serve(port):
    descriptors = inherited_descriptors()
    for descriptor in descriptors:
        evwsgi.start_fd(descriptor)
    if not descriptors:
        evwsgi.start("0.0.0.0", port)
    evwsgi.set_base_module(base)
    evwsgi.wsgi_cb(("/", hello))

    # A timer of 0 seconds fires once, as soon as the server serves.
    evwsgi.add_timer(0, lambda: tell_systemd(b"READY=1"))
    # A server that hangs misses its watchdog message and is restarted (WatchdogSec in the unit).
    patience = int(os.environ.get("WATCHDOG_USEC", 0)) / 1e6
    if patience:
        evwsgi.add_timer(patience / 3, lambda: tell_systemd(b"WATCHDOG=1"))
    evwsgi.run()
    tell_systemd(b"STOPPING=1")


if __name__ == "__main__":
    serve(sys.argv[1] if len(sys.argv) > 1 else "8080")

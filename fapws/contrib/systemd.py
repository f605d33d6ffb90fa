"""Reports the state of the service to systemd: sd_notify(3), without its library.

Owns the messages and the socket. When they are sent is the master's business. A message that cannot
be delivered is lost: a service must not fail because its supervisor does not listen.
"""

import os
import socket
import time


class Notifier(object):
    """Sends states to an address: a path, or a name in the abstract name space after "@".

    watchdog: seconds between two signs of life that are due, or None when none are.
    """

    def __init__(self, address, watchdog=None):
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog = watchdog

    @classmethod
    def from_environ(cls, environ):
        """The Notifier for the address in NOTIFY_SOCKET, or None.

        The variables are removed: they are for this process, not for the programs it runs.
        """
        address = environ.pop("NOTIFY_SOCKET", None)
        pid = environ.pop("WATCHDOG_PID", None)
        microseconds = environ.pop("WATCHDOG_USEC", "")
        if not address:
            return None
        wanted = microseconds.isdigit() and pid in (None, str(os.getpid()))
        # Half the time that systemd waits, as sd_watchdog_enabled(3) recommends.
        return cls(address, int(microseconds) / 2e6 if wanted and int(microseconds) else None)

    def send(self, state):
        """Send lines of the form NAME=VALUE."""
        try:
            messenger = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        except (OSError, socket.error):
            return  # no descriptor is left
        try:
            messenger.setblocking(False)
            messenger.sendto(state.encode("utf-8"), self._address)
        except (OSError, socket.error):
            pass
        finally:
            messenger.close()

    def reloading(self):
        """Report that a reload begins; READY=1 ends it. Type=notify-reload needs the time."""
        state = "RELOADING=1"
        # Python 2 cannot read that clock; Type=notify does not ask for it.
        if hasattr(time, "clock_gettime"):
            now = time.clock_gettime(time.CLOCK_MONOTONIC)
            state += "\nMONOTONIC_USEC=%d" % (now * 1e6)
        self.send(state)

    def alive(self):
        """Report to the watchdog that the service is alive."""
        self.send("WATCHDOG=1")

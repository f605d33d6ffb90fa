"""How the master waits: for a signal, a report, a successor, or the next time at which something is
due. Meanwhile systemd's watchdog is fed, as long as a worker works.
"""

import errno
import select

from fapws.process import clock

#: How long, in seconds, the master waits for one thing to happen before it looks again.
LONGEST_WAIT = 3600.0


def wait_until(due, descriptors):
    """Wait until the first of the times `due`, or until one of the descriptors is readable; those
    that are.
    """
    try:
        return select.select(descriptors, [], [], seconds_until(due))[0]
    except (OSError, select.error) as error:
        if error.args[0] != errno.EINTR:
            raise
        return []


def seconds_until(due):
    """How long it is to the first of these times, which may be infinite; select cannot wait so
    long.
    """
    return min(max(0.0, min(due) - clock()), LONGEST_WAIT) if due else LONGEST_WAIT


class Watchdog(object):
    """systemd's. notify: a `fapws.contrib.systemd.Notifier`, or None. state, children, limits: as
    `inspection.Inspection` has them.
    """

    def __init__(self, notify, state, children, limits):
        self._notify = notify
        self._state = state
        self._children = children
        self._limits = limits

    def feed(self):
        """Report that this service is alive, if it is. Returns when to do it again, in seconds, or
        None where there is no watchdog.
        """
        if not (self._notify and self._notify.watchdog):
            return None
        if self._state.ending or self._state.ready and self._is_well():
            self._notify.alive()
        return self._notify.watchdog

    def _is_well(self):
        """Whether a worker works, or is about to."""
        patience = 2 * self._notify.watchdog
        return any(
            not w.leaving and not self._limits.is_late(w, patience)
            for w in self._children.workers.values()
        ) or bool(self._children.templates)

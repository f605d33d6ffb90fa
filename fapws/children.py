"""What the master knows of its children: workers, and the template processes that fork them.

Owns the state of each; what follows from it is decided in fapws/master.py.
"""

import errno
import os


class Template(object):
    """What the master knows of a template process. orders: the pipe that it takes orders from."""

    def __init__(self, pid, generation, orders, now):
        self.pid = pid
        self.generation = generation
        self.orders = orders
        self.started = now
        self.loaded = False
        self.waiting = False
        #: As a Worker's.
        self.pending_signals = []
        #: (slot, age) of the workers that it has been ordered to fork.
        self.ordered = []

    @property
    def leaving(self):
        """Whether it was sent a signal to end."""
        return bool(self.pending_signals)

    def order(self, slot, age):
        """Order a worker; one that is for nobody is lost with the template."""
        try:
            os.write(self.orders, ("%d %d\n" % (-1 if slot is None else slot, age)).encode("ascii"))
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EAGAIN):
                raise
        self.ordered.append((slot, age))


class Worker(object):
    """What the master knows of one worker."""

    def __init__(self, pid, generation, slot, now):
        self.pid = pid
        self.generation = generation
        self.slot = slot
        self.started = now
        self.serving = False
        #: Whether it waits for a change of its sources.
        self.waiting = False
        #: Why it is to be replaced: a name of MASTER_FIELDS, or None.
        self.retiring = None
        #: What it is to be sent, and when, the next first: (time, signal, whether it is late then).
        self.pending_signals = []
        #: What earlier workers have served in its slot.
        self.requests_before = 0
        #: What `limits` notes of it.
        self.watched = None

    @property
    def leaving(self):
        """Whether it was sent a signal to end."""
        return bool(self.pending_signals)

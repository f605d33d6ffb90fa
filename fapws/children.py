"""What the master knows of its children: workers, and the template processes that fork them.

Owns the state of each; what follows from it is decided in fapws/master.py, fapws/reconciling.py and
fapws/losses.py.
"""

import errno
import os
import signal


class Child(object):
    """What the master knows of either."""

    def __init__(self, pid, generation, now):
        self.pid = pid
        self.generation = generation
        self.started = now
        #: Whether it waits for a change of its sources.
        self.waiting = False
        #: What it is to be sent, and when, the next first: (time, signal, whether it is late then).
        self.pending_signals = []

    @property
    def leaving(self):
        """Whether it was sent a signal to end."""
        return bool(self.pending_signals)

    def kill_at(self, due):
        """Have it killed at a time, if it has not ended by then."""
        self.pending_signals = [(due, signal.SIGKILL, True)]


class Template(Child):
    """A template process. orders: the pipe that it takes orders from."""

    def __init__(self, pid, generation, orders, now):
        super(Template, self).__init__(pid, generation, now)
        self.orders = orders
        self.loaded = False
        #: (slot, age) of the workers that it has been ordered to fork.
        self.ordered = []

    def order(self, slot, age):
        """Order a worker; one that is for nobody is lost with the template."""
        try:
            os.write(self.orders, ("%d %d\n" % (-1 if slot is None else slot, age)).encode("ascii"))
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EAGAIN):
                raise
        self.ordered.append((slot, age))


class Worker(Child):
    """A worker. slot: its place on the scoreboard, or None."""

    def __init__(self, pid, generation, slot, now):
        super(Worker, self).__init__(pid, generation, now)
        self.slot = slot
        self.serving = False
        #: Signals that came for all workers while it started; it is sent them when it serves.
        self.owed = set()
        #: Why it is to be replaced: a name of MASTER_FIELDS, or None.
        self.retiring = None
        #: What earlier workers have served in its slot.
        self.requests_before = 0
        #: What `limits` notes of it.
        self.watched = None


class Children(object):
    """All of them. workers, templates: dicts of those that have not ended, by process id."""

    def __init__(self):
        self.workers = {}
        self.templates = {}

    def __iter__(self):
        return iter(list(self.workers.values()) + list(self.templates.values()))

    def __len__(self):
        return len(self.workers) + len(self.templates)

    def workers_of(self, generation):
        """The workers of a generation that were not sent a signal to end."""
        return [w for w in self.workers.values() if w.generation == generation and not w.leaving]

    def templates_of(self, generation):
        """The templates of a generation that were not sent a signal to end."""
        return [t for t in self.templates.values() if t.generation == generation and not t.leaving]

    def loaded_template(self, generation):
        """One of those that has loaded the application, or None."""
        return next((t for t in self.templates_of(generation) if t.loaded), None)

"""How the master comes by children: it forks them, or orders a template to.

Owns the forks, their numbers, and what a child does first: it drops what is the master's alone.
How many children are wanted, and what becomes of them, is the master's business (fapws/master.py).

Invariants: the hook `forking` is followed by `forked` or `not_forked`, once, with the same number;
a slot that was taken of the scoreboard is a worker's, or is released.
"""

import fcntl
import os
import signal
import sys

from fapws import console
from fapws.children import Template, Worker
from fapws.link import NOT_FORKED, Link, Reports
from fapws.pipes import close_on_exec
from fapws.process import clock, isolates_workers

#: A child that was sent one of these before it had its own handlers ends.
_ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}


class Forks(object):
    """reports: the `link.Reports` of all children.

    log, hooks, board: as `Master` has them. backoff: a `backoff.Backoff`. children: the
    `children.Children` that new ones are added to. signals: the master's `SignalQueue`.
    begun: a function that is called with each new `children.Worker`, in the master.
    close_in_child: one that closes, in a child, what else is the master's.
    """

    def __init__(self, log, hooks, board, backoff, children, signals, begun,
                 close_in_child):
        self._log = log
        self._hooks = hooks
        self._board = board
        self._backoff = backoff
        self._children = children
        self._signals = signals
        self._begun = begun
        self._close_in_child = close_in_child
        self.reports = Reports()
        self._lifeline = os.pipe()
        close_on_exec(*self._lifeline)
        self._age = 0

    def worker(self, generation, now):
        """Fork a worker. Returns its Link in the worker, None in the master."""
        slot, age = self._begin()
        known = len(self._signals)
        pid = self._fork(now)
        if pid == 0:
            return self._become_child(known, slot, age)
        if pid is None:
            self._not_forked(slot, age)
        else:
            self._forked(pid, slot, age, generation, now)
        return None

    def order(self, template):
        """Order a worker of a template, which reports what becomes of it: see `carried_out`."""
        template.order(*self._begin())

    def carried_out(self, word, template, generation, slot, age, value):
        """What became of an order is reported, with FORKED or NOT_FORKED.

        template: where the order went, or None where it has ended. slot: -1 for none. value: the
        worker's process id, or why there is none, as an errno.
        """
        slot = None if slot < 0 else slot
        if template and (slot, age) in template.ordered:
            template.ordered.remove((slot, age))
        now = clock()
        if word == NOT_FORKED:
            self._not_forked(slot, age)
            self._failed(OSError(value, os.strerror(value)), now)
        else:
            self._forked(value, slot, age, generation, now)

    def template_ended(self, template):
        """A template has ended: what it was ordered and has not reported on is nobody's."""
        os.close(template.orders)
        for slot, age in template.ordered:
            self._not_forked(slot, age)

    def template(self, generation, now):
        """Fork a template. Returns its Link in the template, None in the master."""
        try:
            orders = os.pipe()
        except OSError as error:
            self._failed(error, now)
            return None
        close_on_exec(*orders)
        flags = fcntl.fcntl(orders[1], fcntl.F_GETFL)
        fcntl.fcntl(orders[1], fcntl.F_SETFL, flags | os.O_NONBLOCK)
        known = len(self._signals)
        pid = self._fork(now)
        if pid == 0:
            os.close(orders[1])
            link = self._become_child(known, None, 0)
            link.orders = orders[0]
            return link
        os.close(orders[0])
        if pid is None:
            os.close(orders[1])
        else:
            self._children.templates[pid] = Template(pid, generation, orders[1], now)
        return None

    def _begin(self):
        """(slot, age) of a worker that is to be forked."""
        self._age += 1
        self._hooks.forking(self._age)
        return self._board.take() if self._board else None, self._age

    def _forked(self, pid, slot, age, generation, now):
        self._hooks.forked(age, pid)
        worker = Worker(pid, generation, slot, now)
        if self._board and slot is not None:
            # Its first request is after this, but for one that comes within microseconds.
            worker.requests_before = self._board.get(slot, "requests")
        self._children.workers[pid] = worker
        self._begun(worker)

    def _not_forked(self, slot, age):
        self._hooks.not_forked(age)
        if self._board:
            self._board.release(slot)

    def _fork(self, now):
        """fork(2): 0 in the child, None where it failed, after a line."""
        # What is buffered would be written by both.
        console.flush()
        try:
            # A worker that could open nothing would only die.
            os.close(os.dup(self._signals.descriptor))
            return os.fork()
        except OSError as error:
            # No process, memory or descriptor is left. The workers that there are go on.
            self._failed(error, now)
            return None

    def _failed(self, error, now):
        pause = self._backoff.failed(now)
        self._log.error("no new worker: %s; next attempt in %.2g s" % (error.strerror, pause))

    def _become_child(self, known, slot, age):
        """Drop what is the master's. known: how many signals the master had before the fork."""
        self._signals.restore()
        if _ENDING.intersection(self._signals.after(known)):
            sys.exit(0)
        self.reports.close()
        os.close(self._lifeline[1])
        for template in self._children.templates.values():
            os.close(template.orders)
        self._close_in_child()
        if isolates_workers():
            os.setpgid(0, 0)
        return Link(self.reports.writer, self._lifeline[0], self._board, slot, age)

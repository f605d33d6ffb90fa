"""What follows when a child ends that was not to end.

Mostly it is replaced, after a pause where its kind does not live long. What never worked is given
up: a reload whose new code does not start leaves the old workers at work, and a first generation
that never serves ends the master.
"""

import os

from fapws.link import CANNOT_LOAD
from fapws.process import clock, how_ended
from fapws.termination import terminate, terminate_templates

#: How often all workers of the first generation may end, none of which ever served, before the
#: master gives up.
ATTEMPTS = 3


class Losses(object):
    """state: a `wanted_state.WantedState`. children: a `children.Children`. backoff: a
    `backoff.Backoff`. log, board: as `master.Master` has them. notify_state: a function for a state
    of sd_notify(3).
    """

    def __init__(self, state, children, backoff, log, board, notify_state):
        self._state = state
        self._children = children
        self._backoff = backoff
        self._log = log
        self._board = board
        self._notify_state = notify_state
        self._attempts = 0  # how often nobody was left, before any worker served

    def worker_ended(self, worker, status):
        """A worker ended that was not sent a signal, with a status of waitpid(2)."""
        if self._board and worker.serving:
            self._board.count("restarts_crash")
        self._ended("worker", worker, status, worker.serving)

    def template_ended(self, template, status):
        """The same of a template."""
        self._ended("template", template, status, template.loaded)

    def _ended(self, kind, child, status, worked):
        state = self._state
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        if code == CANNOT_LOAD and not worked:
            if state.reloading and child.generation == state.generation:
                self._log.error("the new workers do not start: the old ones continue")
                self._roll_back()
                return
            if not state.served:
                self._give_up()
                return
        if child.generation != state.generation:
            self._log.warning("%s %d ended before its time" % (kind, child.pid))
            return
        how = how_ended(status)
        if not (state.served or state.generation or self._children.workers):
            self._attempts += 1
            if self._attempts == ATTEMPTS:
                self._log.warning("%s %d ended (%s)" % (kind, child.pid, how))
                self._log.error("giving up: no worker has served after %d attempts" % ATTEMPTS)
                self._give_up()
                return
        now = clock()
        self._backoff.died(now, worked, now - child.started)
        if self._is_unserved():
            self._backoff.hurry(now)
        pause = self._backoff.not_before - now
        later = ", in %.2g s" % pause if pause > 0 else ""
        self._log.warning("%s %d ended (%s) and is replaced%s" % (kind, child.pid, how, later))

    def _is_unserved(self):
        """Whether nobody serves, though the application has served."""
        return self._state.served and not any(
            w.serving and not w.leaving for w in self._children.workers.values())

    def _give_up(self):
        """End: what never worked will not work at the next attempt."""
        self._state.exit_code = 1
        self._state.ending = True
        for worker in self._children.workers.values():
            terminate(worker, 0)
        terminate_templates(self._children.templates.values())

    def _roll_back(self):
        """Give a reload up."""
        for worker in self._children.workers_of(self._state.generation):
            terminate(worker, 0)
        terminate_templates(self._children.templates_of(self._state.generation))
        self._state.roll_back()
        self._notify_state("READY=1\nSTATUS=The last reload failed; the old workers continue")

"""Looks at the numbers that workers publish, and replaces those that hang or have served enough.

Whether a worker does is judged in fapws/limits.py.
"""

from fapws.process import clock, send_signal
from fapws.termination import KILL_AFTER


class Inspection(object):
    """state: a `wanted_state.WantedState`. server, board: as `master.Master` has them. children: a
    `children.Children`. limits: a `limits.Limits`.
    """

    def __init__(self, state, server, children, limits, board):
        self._state = state
        self._server = server
        self._log = server.log
        self._children = children
        self._limits = limits
        self._board = board

    def inspect(self):
        """Look at all workers once."""
        self._limits.begin_look(self._server.settings, clock())
        for worker in list(self._children.workers.values()):
            late = None if worker.leaving else self._limits.late(worker)
            if late:
                self._kill(worker, *late)
        retiring = [w for w in self._children.workers.values() if w.retiring]
        # A few at a time, so that not everything is loaded at once.
        places = max(1, self._state.workers // 4) - len(retiring)
        for worker in self._children.workers_of(self._state.generation):
            if worker.serving and not worker.retiring:
                counter, text = self._limits.spent(worker)
                if text and not counter:
                    self._log("worker %d %s" % (worker.pid, text))
                elif counter and places > 0 and not self._state.reloading:
                    places -= 1
                    worker.retiring = counter
                    self._log("worker %d %s: it is replaced" % (worker.pid, text))
                    self._board.count(counter)

    def _kill(self, worker, number, text):
        self._log.error("worker %d %s: it is killed and replaced", worker.pid, text)
        if self._board:
            self._board.count("restarts_timeout")
        # SIGABRT has it write its threads' stacks, if it can (fapws/worker.py).
        send_signal(worker.pid, number)
        worker.kill_at(clock() + KILL_AFTER)

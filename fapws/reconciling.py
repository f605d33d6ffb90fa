"""Brings the workers that there are to those that are wanted.

Decides from what is the case alone: forks what is missing, ends what is too many and, when a
generation serves, the one before it.

Invariant: a worker that serves is sent a signal to end only when its successors serve.
"""

import os

from fapws.termination import grace_of, terminate, terminate_templates
from fapws.wanted_state import counted


class Reconciler(object):
    """state: a `wanted_state.WantedState`. server: as `master.Master` has it. children: a
    `children.Children`. forks: a `forks.Forks`. backoff: a `backoff.Backoff`. notify_state: a
    function for a state of sd_notify(3).
    """

    def __init__(self, state, server, children, forks, backoff, notify_state):
        self._state = state
        self._server = server
        self._log = server.log
        self._children = children
        self._forks = forks
        self._backoff = backoff
        self._notify_state = notify_state

    def reconcile(self, now):
        """Do what is to be done by `now`. Returns a Link in a child that is new."""
        link = self._fork(now)
        if link:
            return link
        wanted = self._state.number
        serving = [
            w for w in self._children.workers_of(self._state.generation)
            if w.serving and not w.retiring]
        for surplus in sorted(serving, key=lambda worker: worker.started)[wanted:]:
            terminate(surplus, grace_of(self._server.settings))
        if len(serving) >= wanted > 0:
            self._all_serve()
        return None

    def next_fork(self):
        """When a worker is to be forked, by `process.clock`; None where none is, or where a
        template reports first.
        """
        if self._missing() <= 0:
            return None
        if self._preloads() and self._children.templates_of(self._state.generation):
            return None
        return self._backoff.not_before

    def _fork(self, now):
        """Fork what is missing, or have a template fork it. Returns a Link in a child."""
        generation = self._state.generation
        if not self._preloads():
            while self._missing() > 0 and self._backoff.not_before <= now:
                link = self._forks.worker(generation, now)
                if link:
                    return link
            return None
        if self._state.resting or self._backoff.not_before > now:
            return None
        if not self._children.templates_of(generation):
            return self._forks.template(generation, now)
        template = self._children.loaded_template(generation)
        while template and self._missing() > 0:
            self._forks.order(template)
        return None

    def _preloads(self):
        settings = self._server.settings
        return settings.preload and not settings.reload

    def _missing(self):
        """How many workers are to be forked."""
        if self._state.resting:
            return 0
        generation = self._state.generation
        staying = [w for w in self._children.workers_of(generation) if not w.retiring]
        ordered = sum(len(t.ordered) for t in self._children.templates_of(generation))
        return self._state.number - len(staying) - ordered

    def _all_serve(self):
        state = self._state
        for worker in list(self._children.workers.values()):
            if not worker.leaving and (worker.generation < state.generation or worker.retiring):
                terminate(worker, grace_of(self._server.settings))
        terminate_templates(
            t for t in self._children.templates.values() if t.generation < state.generation)
        if state.reloading:
            verb = "serves" if state.workers == 1 else "serve"
            self._log("reloaded: %s %s" % (counted(state.workers, "new "), verb))
            state.finish_reload()
            self._notify_state("READY=1")
        elif not state.ready:
            self._notify_state("READY=1\nMAINPID=%d" % os.getpid())
        if not state.ready:
            state.ready = True
            self._server.ready()

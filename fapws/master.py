"""The master: the process that one starts, and that signals are sent to.

It has workers forked (fapws/forks.py), replaces those that die, hang or have served enough, and
serves nobody itself: it never imports the application, so that a reload finds all of it new. What a
worker does is not its business; the two share the `Link`, the scoreboard and signals.

    SIGHUP           reload: new workers first; when all of them serve, the old ones drain
    SIGTERM          drain: requests in flight are finished, for `graceful_timeout` at most
    SIGINT           the same, for a few seconds at most
    SIGQUIT          end at once
    SIGTTIN SIGTTOU  a worker more, a worker less
    SIGUSR1          workers open their logs anew
    SIGUSR2          start a new master, of the code and interpreter that are there now
    SIGWINCH         where there is no terminal: drain the workers, and stay; SIGHUP starts new ones

A worker is *starting* until it reports that it serves, then *serving*, then *leaving* once it was
sent a signal to end. One that is *retiring* serves until a successor does. Each belongs to a
generation, the number of reloads before it.

Invariants: a worker that serves is sent a signal to end only when its successors serve, when it
hangs, or when everything ends; so a reload whose new code does not start leaves the old workers at
work. Signals, reports and the ends of children change what is wanted (fapws/wanted_state.py) and
known (fapws/children.py), never in a signal handler; what follows is done once a turn, by
fapws/inspection.py and fapws/reconciling.py.
"""

import errno
import os
import signal

from fapws import process
from fapws.backoff import Backoff
from fapws.children import Children
from fapws.forks import Forks
from fapws.inspection import Inspection
from fapws.limits import Limits
from fapws.link import CHANGED, FORKED, LOADED, NOT_FORKED, SERVING, WAITING
from fapws.losses import Losses
from fapws.process import clock, isolates_workers, reason, send_signal
from fapws.reconciling import Reconciler
from fapws.signal_queue import SignalQueue
from fapws.termination import (
    grace_of, hasten, send_due_signals, terminate, terminate_templates,
)
from fapws.upgrade import Upgrades
from fapws.waiting import Watchdog, seconds_until, wait_until
from fapws.wanted_state import WantedState, counted

#: How long SIGINT leaves to requests in flight, in seconds.
SIGINT_GRACE = 3.0

_FORWARDED = (signal.SIGUSR1,)
_HANDLED = (
    signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGTTIN, signal.SIGTTOU,
    signal.SIGCHLD, signal.SIGUSR2, signal.SIGWINCH,
) + _FORWARDED


class Master(object):
    """Keeps workers at work until a signal ends it.

    server: what it is the master of, with the attributes settings (a `settings.Settings`, another
        one after a reload) and log (a `server_log.ServerLog`), and the functions
        reread(): read the settings for a reload; what it raises is logged, and there is no reload;
        ready(): all workers serve for the first time;
        stop_listening(): close the listeners, as far as the master has them;
        upgrade(): start a new master; an `upgrade.Successor`; ValueError says why not;
        handed_over(pid), taken_back(): who owns the socket files and the PID file.
    hooks: a `hooks.Hooks`. notify: a `fapws.contrib.systemd.Notifier`, or None. board: a
        `scoreboard.Scoreboard`, or None: then nobody is watched.
    """

    def __init__(self, server, hooks, notify=None, board=None):
        self._state = WantedState(server.settings.workers)
        self._server = server
        self._log = server.log
        self._hooks = hooks
        self._notify = notify
        self._board = board
        self._children = Children()
        self._backoff = Backoff()
        self._upgrades = Upgrades(server, self._notify_state)
        self._limits = Limits(board)
        self._inspection = Inspection(self._state, server, self._children, self._limits, board)
        self._watchdog = Watchdog(notify, self._state, self._children, self._limits)
        self._losses = Losses(
            self._state, self._children, self._backoff, self._log, board, self._notify_state)

    def supervise(self):
        """Do it all. Returns an exit code in the master, and a Link in a child that is to be a
        worker or, with `orders` set, a template.

        Whatever it returns, the signal handlers that were in force before are again.
        """
        process.load_codecs()
        self._signals = SignalQueue(_HANDLED)
        self._forks = Forks(
            self._log, self._hooks, self._board, self._backoff, self._children, self._signals,
            begun=self._begun, close_in_child=self._upgrades.close)
        self._reconciler = Reconciler(
            self._state, self._server, self._children, self._forks, self._backoff,
            self._notify_state)
        while True:
            self._handle_signals()
            self._reap()
            if not self._state.ending:
                self._inspection.inspect()
            link = self._reconcile()
            if link:
                return link
            if self._state.ending and not self._children:
                self._signals.restore()
                return self._state.exit_code
            self._wait()

    def _reconcile(self):
        """Do what is due. Returns a Link in a child that is new."""
        now = clock()
        send_due_signals(self._children, now, self._log)
        if self._state.ends_at is not None and now >= self._state.ends_at:
            self._end_now(signal.SIGTERM)
        return None if self._state.ending else self._reconciler.reconcile(now)

    def want(self, number):
        """Keep another number of workers from now on."""
        before, self._state.workers = self._state.workers, number
        self._log("%s from now on" % counted(number))
        self._hooks.workers_changed(number, before)

    # --- what happened ------------------------------------------------------------------------

    def _handle_signals(self):
        while self._signals:
            number = self._signals.take()
            if number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
                self._end(number)
            elif number == signal.SIGHUP:
                self._reload("SIGHUP")
            elif number == signal.SIGTTIN:
                self.want(self._state.workers + 1)
            elif number == signal.SIGTTOU and self._state.workers > 1:
                self.want(self._state.workers - 1)
            elif number == signal.SIGUSR2:
                self._upgrade()
            elif number == signal.SIGWINCH and isolates_workers():
                self._rest()
            elif number in _FORWARDED:
                for worker in self._children.workers.values():
                    if worker.serving:
                        send_signal(worker.pid, number)
                    else:
                        # It may have no handler for it yet, or have opened its logs already.
                        worker.owed.add(number)

    def _end(self, number):
        state = self._state
        if state.ending:
            # A second one is in a hurry.
            for worker in self._children.workers.values():
                hasten(worker)
            return
        self._notify_state("STOPPING=1")
        delay = self._server.settings.shutdown_delay or 0
        if number == signal.SIGTERM and delay and state.ends_at is None and state.served:
            state.ends_at = clock() + delay
            for worker in self._children.workers.values():
                self._show_draining(worker)
            self._log("ends in %.3g s; until then it serves" % delay)
            return
        self._end_now(number)

    def _show_draining(self, worker):
        if self._board and worker.slot is not None:
            self._board.set(worker.slot, "draining", 1)

    def _end_now(self, number):
        self._state.ending = True
        grace = self._grace()
        grace = {signal.SIGTERM: grace, signal.SIGQUIT: 0.0}.get(number, min(grace, SIGINT_GRACE))
        # Whether a terminal, a shell or systemd sent the signal to the workers too, nobody knows.
        # Nor need it: the core counts what its parent sends apart from the rest.
        for worker in self._children.workers.values():
            terminate(worker, grace)
        terminate_templates(self._children.templates.values())
        # Who connects from now on is not kept waiting: the workers accept those who wait already.
        self._server.stop_listening()

    def _grace(self):
        return grace_of(self._server.settings)

    def _rest(self):
        if self._state.ending or self._state.resting:
            return
        self._state.resting = True
        self._log("no workers until SIGHUP")
        for worker in self._children.workers.values():
            terminate(worker, self._grace())

    def _upgrade(self):
        if self._state.goes_on:
            self._upgrades.begin()

    def _reload(self, cause):
        if not self._state.goes_on:
            return
        try:
            self._server.reread()
        except BaseException as error:
            # It runs a file of the user's, which may end in anything, sys.exit() included.
            self._log.error("no reload: %s" % reason(error))
            return
        self._log("reload (%s)" % cause)
        if self._board:
            self._board.count("reloads")
        if self._notify:
            self._notify.reloading()
        if self._state.reloading:
            # The reload under way is overtaken. Its workers go; the ones before them stay.
            for worker in self._children.workers_of(self._state.generation):
                terminate(worker, self._grace())
            terminate_templates(self._children.templates_of(self._state.generation))
        self._state.begin_reload()
        self._backoff.forget()

    def _reap(self):
        """Take note of the children that have ended, stopped, or go on."""
        ended = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            except OSError as error:
                if error.errno == errno.EINTR:
                    continue
                break  # no child is left
            if pid == 0:
                break
            ended.append((pid, status))
        # What a child reported it did before its end.
        self._read_reports()
        for pid, status in ended:
            self._child_changed(pid, status)

    def _child_changed(self, pid, status):
        has_ended = os.WIFEXITED(status) or os.WIFSIGNALED(status)
        # As the first process of a container one inherits strangers' children too.
        worker = self._children.workers.get(pid)
        if worker and not has_ended:
            self._limits.set_stopped(worker, os.WIFSTOPPED(status))
        elif worker:
            del self._children.workers[pid]
            if self._board:
                self._board.release(worker.slot)
            self._hooks.ended(pid)
            if not (worker.leaving or self._state.ending):
                self._losses.worker_ended(worker, status)
        elif has_ended and pid in self._children.templates:
            template = self._children.templates.pop(pid)
            self._forks.template_ended(template)
            if not (template.leaving or self._state.ending):
                self._losses.template_ended(template, status)
        elif has_ended and self._upgrades.is_successor(pid):
            self._upgrades.ended(status, goes_on=not self._state.ending)

    # --- what children report -----------------------------------------------------------------

    def _read_reports(self):
        for pid, word, details in self._forks.reports.read():
            self._read_report(pid, word, details)

    def _read_report(self, pid, word, details):
        worker = self._children.workers.get(pid)
        template = self._children.templates.get(pid)
        if worker and word == SERVING:
            worker.serving = self._state.served = True
            while worker.owed:
                send_signal(pid, worker.owed.pop())
        elif word == WAITING and (worker or template):
            child = worker or template
            if child.generation == self._state.generation:
                self._announce_waiting(child)
        elif worker and word == CHANGED and worker.generation == self._state.generation:
            self._reload("a source file has changed")
        elif template and word == LOADED:
            template.loaded = True
        elif word in (FORKED, NOT_FORKED) and len(details) == 4:
            pid, slot, age, value = map(int, details)
            ordered_of = self._children.templates.get(pid)
            generation = ordered_of.generation if ordered_of else self._state.generation
            self._forks.carried_out(word, ordered_of, generation, slot, age, value)

    def _announce_waiting(self, worker):
        """Log what becomes of a start that failed, once for all workers of a generation."""
        known = any(other.waiting for other in self._children.workers_of(self._state.generation))
        worker.waiting = True
        if known or self._state.ending:
            return
        served = self._state.reloading and any(
            w.serving for w in self._children.workers_of(self._state.previous))
        others = "; the old workers continue" if served else ""
        self._log("waiting for the next change of a source file" + others)

    def _begun(self, worker):
        """A worker was forked."""
        if self._state.ends_at is not None:
            self._show_draining(worker)
        if self._state.ending:
            terminate(worker, 0)

    # --- waiting ------------------------------------------------------------------------------

    def _wait(self):
        """Wait until something happens, or is due."""
        due = [child.pending_signals[0][0] for child in self._children if child.leaving]
        now = clock()
        if not self._state.ending:
            due += [self._reconciler.next_fork(), self._state.ends_at]
            due.append(_after(now, self._limits.period(self._server.settings)))
        due.append(_after(now, self._watchdog.feed()))
        due = [each for each in due if each is not None]
        self._limits.expect(seconds_until(due))
        signals, reports = self._signals.descriptor, self._forks.reports.descriptor
        upgrades = self._upgrades.descriptors()
        readable = wait_until(due, [signals, reports] + upgrades)
        if signals in readable:
            self._signals.drain()
        if reports in readable:
            self._read_reports()
        if set(upgrades).intersection(readable):
            self._upgrades.read()

    def _notify_state(self, state):
        if self._notify:
            self._notify.send(state)


def _after(now, seconds):
    """So many seconds from now, where there are any."""
    return now + seconds if seconds else None

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
work. All decisions are taken in `_reconcile` and `_check`, from what is the case, never in a signal
handler.
"""

import errno
import os
import select
import signal

from fapws import process
from fapws.backoff import Backoff
from fapws.children import Children
from fapws.forks import Forks
from fapws.limits import Limits
from fapws.link import CANNOT_LOAD, CHANGED, FORKED, LOADED, NOT_FORKED, SERVING, WAITING
from fapws.process import clock, how_ended, isolates_workers, reason, send_signal
from fapws.signal_queue import SignalQueue
from fapws.upgrade import Upgrades

#: How often all workers of the first generation may end, none of which ever served, before the
#: master gives up.
ATTEMPTS = 3

#: How long SIGINT leaves to requests in flight, in seconds.
SIGINT_GRACE = 3.0

#: What a worker that is sent its last signal but one gets before it is killed, in seconds.
KILL_AFTER = 2.0

#: How long, in seconds, the master waits for one thing to happen before it looks again.
LONGEST_WAIT = 3600.0

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
        self.wanted = server.settings.workers
        self._server = server
        self._log = server.log
        self._hooks = hooks
        self._notify = notify
        self._board = board
        self._limits = Limits(board)
        self._children = Children()
        self._generation = 0
        self._previous = None  # the generation to go back to while a reload is under way
        self._backoff = Backoff()
        self._attempts = 0  # how often nobody was left, before any worker served
        self._resting = False  # SIGWINCH: no worker is wanted
        self._end_at = None  # when `shutdown_delay` is over
        self._ending = False
        self._code = 0
        self._served = False  # whether any worker ever did
        self._ready = False  # whether all workers ever did, and that was reported
        self._upgrades = Upgrades(server, self._notify_state)

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
        link = None
        while link is None:
            self._handle_signals()
            self._reap()
            self._check()
            link = self._reconcile()
            if link is None:
                if self._ending and not self._children:
                    self._signals.restore()
                    return self._code
                self._wait()
        return link

    def want(self, number):
        """Keep another number of workers from now on."""
        before, self.wanted = self.wanted, number
        self._log("%s from now on" % _workers(number))
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
                self.want(self.wanted + 1)
            elif number == signal.SIGTTOU and self.wanted > 1:
                self.want(self.wanted - 1)
            elif number == signal.SIGUSR2:
                self._upgrade()
            elif number == signal.SIGWINCH and isolates_workers():
                self._rest()
            elif number in _FORWARDED:
                for worker in self._children.workers.values():
                    # One that is starting has no handler for it yet, and its logs are new.
                    if worker.serving:
                        send_signal(worker.pid, number)

    def _end(self, number):
        now = clock()
        if self._ending:
            # A second one is in a hurry.
            for worker in self._children.workers.values():
                send_signal(worker.pid, signal.SIGTERM)
                worker.kill_at(now + KILL_AFTER)
            return
        self._notify_state("STOPPING=1")
        delay = self._server.settings.shutdown_delay or 0
        if number == signal.SIGTERM and delay and self._end_at is None and self._served:
            self._end_at = now + delay
            for worker in self._children.workers.values():
                self._show_draining(worker)
            self._log("ends in %.3g s; until then it serves" % delay)
            return
        self._end_now(number)

    def _show_draining(self, worker):
        if self._board and worker.slot is not None:
            self._board.set(worker.slot, "draining", 1)

    def _end_now(self, number):
        self._ending = True
        grace = {signal.SIGTERM: self._grace(), signal.SIGQUIT: 0.0}.get(
            number, min(self._grace(), SIGINT_GRACE))
        # A Ctrl-C reaches the workers as well as the master where they share its terminal. One
        # signal more would count as the second, at which the core ends at once.
        sent = number == signal.SIGINT and not isolates_workers()
        for worker in self._children.workers.values():
            # One that is starting has nothing in flight, and may be too young to have got it.
            self._terminate(worker, grace, sent=sent and worker.serving)
        self._end_templates(self._children.templates.values())
        # Who connects from now on is not kept waiting: the workers accept those who wait already.
        self._server.stop_listening()

    def _grace(self):
        """What requests in flight get. The core keeps graceful_timeout; a second is left to it."""
        return float(self._server.settings.graceful_timeout or 0) + 1

    def _rest(self):
        if self._ending or self._resting:
            return
        self._resting = True
        self._log("no workers until SIGHUP")
        for worker in self._children.workers.values():
            self._terminate(worker, self._grace())

    def _upgrade(self):
        if not (self._ending or self._end_at is not None):
            self._upgrades.begin()

    def _reload(self, cause):
        if self._ending or self._end_at is not None:
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
        if self._previous is None:
            self._previous = self._generation
        else:
            # The reload under way is overtaken. Its workers go; the ones before them stay.
            for worker in self._children.workers_of(self._generation):
                self._terminate(worker, self._grace())
            self._end_templates(self._children.templates_of(self._generation))
        self._generation += 1
        self._backoff.forget()
        self._resting = False

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
            if not (worker.leaving or self._ending):
                self._lost(worker, status)
        elif has_ended and pid in self._children.templates:
            self._template_ended(self._children.templates.pop(pid), status)
        elif has_ended and self._upgrades.is_successor(pid):
            self._upgrades.ended(status, goes_on=not self._ending)

    def _lost(self, worker, status):
        """A worker ended that was not sent a signal."""
        if self._board and worker.serving:
            self._board.count("restarts_crash")
        self._died("worker", worker, status, worker.serving)

    def _template_ended(self, template, status):
        self._forks.template_ended(template)
        if not (template.leaving or self._ending):
            self._died("template", template, status, template.loaded)

    def _died(self, kind, child, status, worked):
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        if code == CANNOT_LOAD and not worked:
            if self._previous is not None and child.generation == self._generation:
                self._log.error("the new workers do not start: the old ones continue")
                self._roll_back()
                return
            if not self._served:
                self._give_up()
                return
        if child.generation != self._generation:
            self._log.warning("%s %d ended before its time" % (kind, child.pid))
            return
        how = how_ended(status)
        if not (self._served or self._generation or self._children.workers):
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
        return self._served and not any(
            w.serving and not w.leaving for w in self._children.workers.values())

    def _give_up(self):
        """End: what never worked will not work at the next attempt."""
        self._code = 1
        self._ending = True
        for worker in self._children.workers.values():
            self._terminate(worker, 0)
        self._end_templates(self._children.templates.values())

    def _roll_back(self):
        """Give a reload up."""
        for worker in self._children.workers_of(self._generation):
            self._terminate(worker, 0)
        self._end_templates(self._children.templates_of(self._generation))
        self._generation, self._previous = self._previous, None
        self._notify_state("READY=1\nSTATUS=The last reload failed; the old workers continue")

    # --- what workers do ----------------------------------------------------------------------

    def _check(self):
        """Look at the workers' numbers, and replace those that hang or have served enough."""
        if self._ending:
            return
        settings = self._server.settings
        self._limits.begin_look(settings, clock())
        for worker in list(self._children.workers.values()):
            late = None if worker.leaving else self._limits.late(worker)
            if late:
                self._replace_hung(worker, late)
        retiring = [w for w in self._children.workers.values() if w.retiring]
        # A few at a time, so that not everything is loaded at once.
        places = max(1, self.wanted // 4) - len(retiring)
        for worker in self._children.workers_of(self._generation):
            if worker.serving and not worker.retiring:
                counter, text = self._limits.spent(worker)
                if text and not counter:
                    self._log("worker %d %s" % (worker.pid, text))
                elif counter and places > 0 and self._previous is None:
                    places -= 1
                    worker.retiring = counter
                    self._log("worker %d %s: it is replaced" % (worker.pid, text))
                    self._board.count(counter)

    def _replace_hung(self, worker, late):
        number, text = late
        self._log.error("worker %d %s: it is killed and replaced", worker.pid, text)
        if self._board:
            self._board.count("restarts_timeout")
        # SIGABRT has it write its threads' stacks, if it can (fapws/worker.py).
        send_signal(worker.pid, number)
        worker.kill_at(clock() + KILL_AFTER)

    # --- what follows from it -----------------------------------------------------------------

    def _reconcile(self):
        """Bring the workers to what they should be. Returns a Link in a child that is new."""
        now = clock()
        for child in self._children:
            while child.pending_signals and child.pending_signals[0][0] <= now:
                number, is_late = child.pending_signals[0][1:]
                del child.pending_signals[0]
                if not child.pending_signals:
                    child.kill_at(now + KILL_AFTER)
                if is_late:
                    last = number == signal.SIGKILL
                    self._log.warning("process %d has not ended in time: %s", child.pid, (
                        "it is killed" if last else "its connections are closed"))
                send_signal(child.pid, number)
        if self._end_at is not None and now >= self._end_at and not self._ending:
            self._end_now(signal.SIGTERM)
        if self._ending:
            return None
        link = self._fork(now)
        if link:
            return link
        wanted = 0 if self._resting else self.wanted
        serving = [
            w for w in self._children.workers_of(self._generation)
            if w.serving and not w.retiring]
        for surplus in sorted(serving, key=lambda worker: worker.started)[wanted:]:
            self._terminate(surplus, self._grace())
        if len(serving) >= wanted > 0:
            self._all_serve()
        return None

    def _fork(self, now):
        """Fork what is missing, or have a template fork it. Returns a Link in a child."""
        if not self._preloads():
            while self._missing() > 0 and self._backoff.not_before <= now:
                link = self._forks.worker(self._generation, now)
                if link:
                    return link
            return None
        if self._resting or self._backoff.not_before > now:
            return None
        if not self._children.templates_of(self._generation):
            return self._forks.template(self._generation, now)
        template = self._children.loaded_template(self._generation)
        while template and self._missing() > 0:
            self._forks.order(template)
        return None

    def _preloads(self):
        settings = self._server.settings
        return settings.preload and not settings.reload

    def _missing(self):
        """How many workers are to be forked."""
        if self._resting:
            return 0
        staying = [w for w in self._children.workers_of(self._generation) if not w.retiring]
        ordered = sum(len(t.ordered) for t in self._children.templates_of(self._generation))
        return self.wanted - len(staying) - ordered

    def _all_serve(self):
        for worker in list(self._children.workers.values()):
            if not worker.leaving and (worker.generation < self._generation or worker.retiring):
                self._terminate(worker, self._grace())
        self._end_templates(
            t for t in self._children.templates.values() if t.generation < self._generation)
        if self._previous is not None:
            verb = "serves" if self.wanted == 1 else "serve"
            self._log("reloaded: %s %s" % (_workers(self.wanted, "new "), verb))
            self._previous = None
            self._notify_state("READY=1")
        elif not self._ready:
            self._notify_state("READY=1\nMAINPID=%d" % os.getpid())
        if not self._ready:
            self._ready = True
            self._server.ready()

    def _begun(self, worker):
        """A worker was forked."""
        if self._end_at is not None:
            self._show_draining(worker)
        if self._ending:
            self._terminate(worker, 0)

    def _terminate(self, worker, grace, sent=False):
        """Have a worker drain; again after `grace` seconds, when it ends at once."""
        due = clock() + grace
        if worker.leaving:
            if due < worker.pending_signals[0][0] and len(worker.pending_signals) == 1:
                worker.pending_signals = [(due,) + worker.pending_signals[0][1:]]
            return
        if not sent:
            send_signal(worker.pid, signal.SIGTERM)
        worker.pending_signals = [(due, signal.SIGTERM, grace > 0)]

    def _end_templates(self, templates):
        for template in templates:
            if not template.leaving:
                send_signal(template.pid, signal.SIGTERM)
                template.kill_at(clock() + KILL_AFTER)

    # --- waiting ------------------------------------------------------------------------------

    def _wait(self):
        """Wait for a signal, a report, or the next time at which something is due."""
        children = list(self._children)
        due = [child.pending_signals[0][0] for child in children if child.leaving]
        if not self._ending:
            if self._missing() > 0 and not (
                    self._preloads() and self._children.templates_of(self._generation)):
                due.append(self._backoff.not_before)  # else its template reports
            if self._end_at is not None:
                due.append(self._end_at)
        # graceful_timeout may be infinite, which select cannot wait for.
        timeout = min(max(0.0, min(due) - clock()), LONGEST_WAIT) if due else LONGEST_WAIT
        if not self._ending:
            timeout = min(timeout, self._limits.period(self._server.settings) or timeout)
        if self._notify and self._notify.watchdog:
            if self._ending or self._ready and self._is_well():
                self._notify.alive()
            timeout = min(timeout, self._notify.watchdog)
        self._limits.expect(timeout)
        reports = self._forks.reports
        sources = [self._signals.descriptor, reports.descriptor]
        sources.extend(self._upgrades.descriptors())
        try:
            readable = select.select(sources, [], [], timeout)[0]
        except (OSError, select.error) as error:
            if error.args[0] != errno.EINTR:
                raise
            return
        if self._signals.descriptor in readable:
            self._signals.drain()
        if reports.descriptor in readable:
            self._read_reports()
        if set(self._upgrades.descriptors()).intersection(readable):
            self._upgrades.read()

    def _is_well(self):
        """Whether a worker works, or is about to."""
        patience = 2 * self._notify.watchdog
        return any(
            not w.leaving and not self._limits.is_late(w, patience)
            for w in self._children.workers.values()
        ) or bool(self._children.templates)

    def _read_reports(self):
        for pid, word, details in self._forks.reports.read():
            self._read_report(pid, word, details)

    def _read_report(self, pid, word, details):
        worker = self._children.workers.get(pid)
        template = self._children.templates.get(pid)
        if worker and word == SERVING:
            worker.serving = self._served = True
        elif word == WAITING and (worker or template):
            child = worker or template
            if child.generation == self._generation:
                self._announce_waiting(child)
        elif worker and word == CHANGED and worker.generation == self._generation:
            self._reload("a source file has changed")
        elif template and word == LOADED:
            template.loaded = True
        elif word in (FORKED, NOT_FORKED) and len(details) == 4:
            pid, slot, age, value = map(int, details)
            ordered_of = self._children.templates.get(pid)
            generation = ordered_of.generation if ordered_of else self._generation
            self._forks.carried_out(word, ordered_of, generation, slot, age, value)

    def _announce_waiting(self, worker):
        """Log what becomes of a start that failed, once for all workers of a generation."""
        known = any(other.waiting for other in self._children.workers_of(self._generation))
        worker.waiting = True
        if known or self._ending:
            return
        served = self._previous is not None and any(
            w.serving for w in self._children.workers_of(self._previous))
        others = "; the old workers continue" if served else ""
        self._log("waiting for the next change of a source file" + others)

    def _notify_state(self, state):
        if self._notify:
            self._notify.send(state)


def _workers(number, kind=""):
    """How many workers, in words."""
    return "%d %sworker%s" % (number, kind, "" if number == 1 else "s")

"""The master: the process that one starts, and that signals are sent to.

It forks the workers, replaces those that die, and serves nobody itself: it never imports the
application, so that a reload finds all of it new. What a worker does is not its business; the two
share the `Link` (below) and signals.

    SIGHUP           reload: new workers first; when all of them serve, the old ones drain
    SIGTERM          drain: requests in flight are finished, for `graceful_timeout` at most
    SIGINT           the same, for a few seconds at most
    SIGTTIN SIGTTOU  a worker more, a worker less
    SIGUSR1          workers open their logs anew

A worker is *starting* until it says that it serves, then *serving*, then *leaving* once it was told
to end. Each belongs to a generation, the number of reloads before it.

Invariants: a worker that serves is told to end only when its successors serve, or when everything
ends; so a reload whose new code does not start leaves the old workers at work. All decisions
are taken in `_adjust`, from what is the case, never in a signal handler.
"""

import errno
import fcntl
import os
import select
import signal
import sys
import traceback

from fapws import console

#: A worker that dies younger than this, in seconds, makes its successor wait.
YOUNG = 2.0

#: How long, in seconds: for the first early death, doubled with each further one, at most this.
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 15.0

#: How often all workers of the first generation may end, none of which ever served, before the
#: master gives up.
ATTEMPTS = 3

#: How long SIGINT leaves to requests in flight, in seconds.
QUICK = 3.0

#: What a worker that is told to end for the last time gets before it is killed, in seconds.
LAST_WORD = 2.0

#: How long, in seconds, the master waits for one thing to happen before it looks again.
LONGEST_WAIT = 3600.0

#: The exit code of a worker whose application cannot be loaded (EX_CONFIG of sysexits.h).
CANNOT_LOAD = 78

#: What a worker says over its link: that it serves, that it cannot load the application and waits
#: for a change, and that its sources have changed.
SERVING, WAITING, CHANGED = b"s", b"w", b"c"

_FORWARDED = (signal.SIGUSR1,)
_HANDLED = (
    signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCHLD,
) + _FORWARDED


class Link(object):
    """A worker's end of what joins it to the master.

    say: tells the master one of the words above. lifeline: a descriptor that is at its end when the
    master is no more.
    """

    def __init__(self, descriptor, lifeline):
        self._descriptor = descriptor
        self.lifeline = lifeline

    def say(self, word):
        """Tell the master a word; without one the word is lost."""
        try:
            os.write(self._descriptor, word)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EAGAIN):
                raise


class Worker(object):
    """What the master knows of one worker."""

    def __init__(self, pid, generation, descriptor, now):
        self.pid = pid
        self.generation = generation
        self.descriptor = descriptor
        self.started = now
        self.serving = False
        #: Whether it waits for a change of its sources.
        self.waiting = False
        #: Whether it still has its end of the link.
        self.talks = True
        #: What it is to be sent, and when: (time, signal), the next one first.
        self.sentences = []

    @property
    def leaving(self):
        """Whether it was told to end."""
        return bool(self.sentences)


class Master(object):
    """Keeps `wanted` workers at work until a signal ends it.

    patience: a function that gives `graceful_timeout`, in seconds, called when it is needed.
    prepare: a function called before the workers of a reload; raises ValueError, whose text is
        told, to have none of it. Anything else that it raises comes to the same.
    log: a function that takes one line.
    begun: a function called once, when all workers serve for the first time.
    notify: a `fapws.contrib.systemd.Notifier`, or None. hooks: a `fapws.hooks.Hooks`.
    """

    def __init__(self, wanted, patience, prepare, log, begun, notify, hooks):
        self.wanted = wanted
        self._patience = patience
        self._prepare = prepare
        self._log = log
        self._begun = begun
        self._notify = notify
        self._hooks = hooks
        self._workers = {}
        self._generation = 0
        self._previous = None  # the generation to go back to while a reload is under way
        self._signals = []
        self._failures = 0  # early deaths, and forks that failed
        self._not_before = 0.0
        self._attempts = 0  # how often nobody was left, before any worker served
        self._ending = False
        self._code = 0
        self._served = False  # whether any worker ever did
        self._ready = False  # whether all workers ever did, and that was told

    def supervise(self):
        """Do it all. Returns a Link in a worker, which is to serve, and an exit code in the master.

        Whatever it returns, the signal handlers that were in force before are again.
        """
        self._saved = [(number, signal.getsignal(number)) for number in _HANDLED]
        self._lifeline = os.pipe()
        _close_on_exec(*self._lifeline)
        self._alarm = _pipe()
        signal.set_wakeup_fd(self._alarm[1])
        for number in _HANDLED:
            signal.signal(number, self._receive)
        link = None
        while link is None:
            self._obey()
            self._bury()
            link = self._adjust()
            if link is None:
                if self._ending and not self._workers:
                    self._restore()
                    return self._code
                self._wait()
        return link

    def want(self, number):
        """Keep another number of workers from now on."""
        before, self.wanted = self.wanted, number
        self._log("%s from now on" % _workers(number))
        self._hooks.workers_changed(number, before)

    def _receive(self, number, frame):
        self._signals.append(number)

    def _restore(self):
        signal.set_wakeup_fd(-1)
        for number, handler in self._saved:
            signal.signal(number, handler)
        for descriptor in self._alarm:
            os.close(descriptor)

    # --- what happened ------------------------------------------------------------------------

    def _obey(self):
        while self._signals:
            number = self._signals.pop(0)
            if number in (signal.SIGTERM, signal.SIGINT):
                self._end(number)
            elif number == signal.SIGHUP:
                self._reload("SIGHUP")
            elif number == signal.SIGTTIN:
                self.want(self.wanted + 1)
            elif number == signal.SIGTTOU and self.wanted > 1:
                self.want(self.wanted - 1)
            elif number in _FORWARDED:
                for worker in self._workers.values():
                    # One that is starting has no handler for it yet, and its logs are new.
                    if worker.serving:
                        _send(worker.pid, number)

    def _end(self, number):
        now = _clock()
        if self._ending:
            # Who says it twice is in a hurry.
            for worker in self._workers.values():
                _send(worker.pid, signal.SIGTERM)
                worker.sentences = [(now + LAST_WORD, signal.SIGKILL)]
            return
        self._ending = True
        self._tell("STOPPING=1")
        patience = self._patience()
        if number == signal.SIGINT:
            patience = min(patience, QUICK)
        # A Ctrl-C reaches the workers as well as the master where they share its terminal. One
        # signal more would count as the second, at which the core ends at once.
        told = number == signal.SIGINT and not _isolates_workers()
        for worker in self._workers.values():
            # One that is starting has nothing in flight, and may be too young to have got it.
            self._dismiss(worker, patience, told=told and worker.serving)

    def _reload(self, reason):
        if self._ending:
            return
        try:
            self._prepare()
        except BaseException as error:
            # It runs a file of the user's, which may end in anything, sys.exit() included.
            self._log("no reload: %s" % _reason(error))
            return
        self._log("reload (%s)" % reason)
        if self._notify:
            self._notify.reloading()
        if self._previous is None:
            self._previous = self._generation
        else:
            # The reload under way is overtaken. Its workers go; the ones before them stay.
            for worker in self._of(self._generation):
                self._dismiss(worker, self._patience())
        self._generation += 1
        self._not_before = 0.0

    def _bury(self):
        """Take note of the workers that have ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except OSError as error:
                if error.errno == errno.EINTR:
                    continue
                return  # no child is left
            if pid == 0:
                return
            # As the first process of a container one inherits strangers' children too.
            worker = self._workers.pop(pid, None)
            if worker:
                os.close(worker.descriptor)
                self._hooks.ended(pid)
                if not (worker.leaving or self._ending):
                    self._lost(worker, status)

    def _lost(self, worker, status):
        """A worker ended that was not told to."""
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        if code == CANNOT_LOAD and not worker.serving:
            if self._previous is not None and worker.generation == self._generation:
                self._log("the new workers do not start: the old ones go on")
                self._turn_back()
                return
            if not self._served:
                self._give_up()
                return
        if worker.generation != self._generation:
            self._log("worker %d ended before its time" % worker.pid)
            return
        how = "exit code %d" % code if code is not None else "signal %d" % os.WTERMSIG(status)
        if not (self._served or self._generation or self._workers):
            self._attempts += 1
            if self._attempts == ATTEMPTS:
                self._log("worker %d ended (%s)" % (worker.pid, how))
                self._log("given up: in %d attempts no worker came to serve" % ATTEMPTS)
                self._give_up()
                return
        now = _clock()
        if worker.serving and now - worker.started >= YOUNG:
            self._failures = 0
            self._not_before = now
        elif self._not_before <= now:
            self._not_before = now + self._longer_pause()
        # else it began before the failure that is waited for: those that fail together are one.
        pause = self._not_before - now
        later = ", in %.2g s" % pause if pause else ""
        self._log("worker %d ended (%s) and is replaced%s" % (worker.pid, how, later))

    def _give_up(self):
        """End: what never worked will not work at the next attempt."""
        self._code = 1
        self._ending = True
        for worker in self._workers.values():
            self._dismiss(worker, 0)

    def _longer_pause(self):
        """How long to wait after one more failure to have a worker that serves."""
        pause = min(FIRST_PAUSE * 2 ** min(self._failures, 20), LONGEST_PAUSE)
        self._failures += 1
        return pause

    def _turn_back(self):
        """Give a reload up."""
        for worker in self._of(self._generation):
            self._dismiss(worker, 0)
        self._generation, self._previous = self._previous, None
        self._tell("READY=1\nSTATUS=The last reload failed; the workers before it go on")

    # --- what follows from it -----------------------------------------------------------------

    def _adjust(self):
        """Bring the workers to what they should be. Returns a Link in a worker that is new."""
        now = _clock()
        for worker in self._workers.values():
            while worker.sentences and worker.sentences[0][0] <= now:
                number = worker.sentences[0][1]
                worker.sentences = worker.sentences[1:] or [(now + LAST_WORD, signal.SIGKILL)]
                _send(worker.pid, number)
        if self._ending:
            return None
        current = self._of(self._generation)
        while len(current) < self.wanted and self._not_before <= now:
            link = self._fork(now)
            if link:
                return link
            current = self._of(self._generation)
        serving = [worker for worker in current if worker.serving]
        for surplus in sorted(serving, key=lambda worker: worker.pid)[self.wanted:]:
            self._dismiss(surplus, self._patience())
        if len(serving) >= self.wanted:
            self._all_serve()
        return None

    def _all_serve(self):
        old = [w for w in self._workers.values() if w.generation < self._generation]
        for worker in old:
            if not worker.leaving:
                self._dismiss(worker, self._patience())
        if self._previous is not None:
            verb = "serves" if self.wanted == 1 else "serve"
            self._log("reloaded: %s %s" % (_workers(self.wanted, "new "), verb))
            self._previous = None
            self._tell("READY=1")
        elif not self._ready:
            self._tell("READY=1\nMAINPID=%d" % os.getpid())
        if not self._ready:
            self._ready = True
            self._begun()

    def _of(self, generation):
        """The workers of a generation that are to stay."""
        workers = self._workers.values()
        return [w for w in workers if w.generation == generation and not w.leaving]

    def _dismiss(self, worker, patience, told=False):
        """Tell a worker to drain; again after `patience` seconds, when it ends at once."""
        if worker.leaving:
            return
        now = _clock()
        if not told:
            _send(worker.pid, signal.SIGTERM)
        # The core keeps graceful_timeout itself; a second is left to it for that.
        worker.sentences = [(now + patience + 1, signal.SIGTERM)]

    def _fork(self, now):
        self._hooks.forking()
        # What is buffered would be written by both.
        console.flush()
        ends = ()
        known = len(self._signals)
        try:
            reads, writes = ends = _pipe()
            pid = os.fork()
        except OSError as error:
            # No process, memory or descriptor is left. The workers that there are go on.
            for descriptor in ends:
                os.close(descriptor)
            pause = self._longer_pause()
            self._not_before = now + pause
            self._log("no new worker: %s; tried again in %.2g s" % (error.strerror, pause))
            return None
        if pid:
            os.close(writes)
            self._hooks.forked(pid)
            self._workers[pid] = Worker(pid, self._generation, reads, now)
            return None
        self._restore()
        if {signal.SIGTERM, signal.SIGINT}.intersection(self._signals[known:]):
            sys.exit(0)  # told to end before it began
        os.close(reads)
        os.close(self._lifeline[1])
        for sibling in self._workers.values():
            os.close(sibling.descriptor)
        if _isolates_workers():
            os.setpgid(0, 0)
        return Link(writes, self._lifeline[0])

    def _wait(self):
        """Wait for a signal, a worker's word, or the next time at which something is due."""
        due = [worker.sentences[0][0] for worker in self._workers.values() if worker.leaving]
        if len(self._of(self._generation)) < self.wanted and not self._ending:
            due.append(self._not_before)
        # graceful_timeout may be infinite, which select cannot wait for.
        timeout = min(max(0.0, min(due) - _clock()), LONGEST_WAIT) if due else None
        if self._notify and self._notify.watchdog:
            if self._ready or self._ending:
                self._notify.alive()
            timeout = min(timeout or self._notify.watchdog, self._notify.watchdog)
        talking = {w.descriptor: w for w in self._workers.values() if w.talks}
        try:
            readable = select.select([self._alarm[0]] + list(talking), [], [], timeout)[0]
        except (OSError, select.error) as error:
            if error.args[0] != errno.EINTR:
                raise
            return
        for descriptor in readable:
            if descriptor == self._alarm[0]:
                _drain(descriptor)
            else:
                self._hear(talking[descriptor])

    def _hear(self, worker):
        words = os.read(worker.descriptor, 4096)
        if not words:
            # It is about to end, or closed what it did not know: SIGCHLD will tell.
            worker.talks = False
        if SERVING in words:
            worker.serving = self._served = True
        if WAITING in words and worker.generation == self._generation:
            self._announce_waiting(worker)
        if CHANGED in words and worker.generation == self._generation:
            self._reload("a source file has changed")

    def _announce_waiting(self, worker):
        """Tell what becomes of a start that failed, once for all workers of a generation."""
        known = any(other.waiting for other in self._of(self._generation))
        worker.waiting = True
        if known or self._ending:
            return
        served = self._previous is not None and any(w.serving for w in self._of(self._previous))
        others = "; the old workers go on" if served else ""
        self._log("waiting for the next change of a source file" + others)

    def _tell(self, state):
        if self._notify:
            self._notify.send(state)


def _workers(number, kind=""):
    """How many workers, in words."""
    return "%d %sworker%s" % (number, kind, "" if number == 1 else "s")


def _reason(error):
    """Why there is no reload, in words: an exception that is not meant for people is named."""
    if isinstance(error, ValueError):
        return str(error)
    return traceback.format_exception_only(type(error), error)[-1].strip()


def _clock():
    """Seconds since some moment, which nobody can set; Python 2 has no time.monotonic."""
    return os.times()[4]


def _send(pid, number):
    try:
        os.kill(pid, number)
    except OSError as error:
        # It has ended, and was not buried yet.
        if error.errno != errno.ESRCH:
            raise


def _isolates_workers():
    """Whether workers are a process group of their own each, apart from a terminal's signals.

    Not at a terminal: a background group may not read from it, so no debugger would work.
    """
    return sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty()


def _pipe():
    """A pipe whose ends do not block; the programs that the application runs do not see it."""
    ends = os.pipe()
    for descriptor in ends:
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    _close_on_exec(*ends)
    return ends


def _close_on_exec(*descriptors):
    for descriptor in descriptors:
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
        fcntl.fcntl(descriptor, fcntl.F_SETFD, flags | fcntl.FD_CLOEXEC)


def _drain(descriptor):
    try:
        while os.read(descriptor, 4096):
            pass
    except OSError as error:
        if error.errno != errno.EAGAIN:
            raise

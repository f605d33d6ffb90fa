"""When a worker has been in a call for too long, is stopped, or has served enough.

Owns the judgement, from the numbers that a worker publishes. What follows is the master's business.

Time counts only while the master itself runs: after a pause of the whole group, or of the machine,
all clocks start anew, since nobody could make progress meanwhile.
"""

import os
import signal

#: Seconds between two looks at the workers, at most.
PERIOD = 1.0

#: The same where requests are counted.
REQUESTS_PERIOD = 0.1

#: A master that looks later than it meant to by more than this, in seconds, did not run meanwhile.
PAUSE = 2.0


class _Watched(object):
    """What is noted of one worker."""

    def __init__(self):
        #: The `late_since` that was seen last, and since when, by the clock of looks.
        self.late_since = 0
        self.seen_at = 0.0
        self.stopped_at = None
        self.max_requests = None
        #: Whether its memory was looked at, and was above the limit then: when it began to serve.
        self.weighed = self.begins_large = False


class Limits(object):
    """Watches workers. board: a `scoreboard.Scoreboard`, or None: then only stopped ones are seen.
    """

    def __init__(self, board):
        self._board = board
        self._settings = None
        self._last = None
        #: How long the master meant to wait at most, from the last look to the next.
        self._expected = 0.0
        #: Seconds that the master has run since the first look.
        self._ran = 0.0
        self._large_reported = False

    def period(self, settings):
        """Seconds until the next look is due; None where nothing is limited."""
        periods = []
        timeout = _timeout(settings)
        if timeout:
            periods.append(min(PERIOD, timeout / 4.0))
        if settings.max_requests:
            periods.append(REQUESTS_PERIOD)
        if settings.max_memory:
            periods.append(PERIOD)
        return min(periods) if periods else None

    def begin_look(self, settings, now):
        """The master looks at its workers, at a time of its clock."""
        self._settings = settings
        if self._last is not None:
            self._ran += min(now - self._last, self._expected + PAUSE)
        self._last = now

    def expect(self, seconds):
        """The master is about to wait, for so long at most."""
        self._expected = seconds

    def set_stopped(self, worker, is_stopped):
        """A worker was stopped by a signal, or goes on."""
        self._of(worker).stopped_at = self._ran if is_stopped else None

    def late(self, worker):
        """(signal, words) to end a worker with that is late, or None."""
        timeout = _timeout(self._settings)
        if not timeout or not self.is_late(worker, timeout):
            return None
        if self._of(worker).stopped_at is not None:
            # It would not take another signal.
            return signal.SIGKILL, "has been stopped for %g s" % timeout
        return signal.SIGABRT, "has been busy with one call for %g s (--timeout)" % timeout

    def is_late(self, worker, timeout):
        """Whether a worker has been in a call, or stopped, for so many seconds."""
        watched = self._of(worker)
        if watched.stopped_at is not None:
            return self._ran - watched.stopped_at >= timeout
        if self._board is None or worker.slot is None or not worker.serving:
            return False
        since = self._board.get(worker.slot, "late_since")
        if since != watched.late_since:
            watched.late_since, watched.seen_at = since, self._ran
        return bool(since) and self._ran - watched.seen_at >= timeout

    def spent(self, worker):
        """(a name of MASTER_FIELDS or None, words or None): why a worker is to be replaced. Words
        without a name are to be logged only.
        """
        settings, watched = self._settings, self._of(worker)
        if self._board is None or worker.slot is None:
            return None, None
        if settings.max_requests:
            if watched.max_requests is None:
                watched.max_requests = settings.max_requests + _scattered(
                    worker.pid, settings.max_requests_jitter or 0)
            requests = self._board.get(worker.slot, "requests") - worker.requests_before
            if requests >= watched.max_requests:
                return "restarts_max_requests", "has served %d requests" % requests
        if settings.max_memory:
            return self._spent_memory(worker, watched, settings.max_memory)
        return None, None

    def _spent_memory(self, worker, watched, most):
        resident = resident_bytes(worker.pid)
        if watched.begins_large or resident is None:
            return None, None
        if not watched.weighed:
            watched.weighed = True
            watched.begins_large = resident > most
            if watched.begins_large and not self._large_reported:
                self._large_reported = True
                return None, "begins to serve with %s, more than --max-memory: none is replaced " \
                    "for that" % _mebibytes(resident)
            if watched.begins_large:
                return None, None
        if resident > most:
            return "restarts_max_memory", "has %s of memory" % _mebibytes(resident)
        return None, None

    def _of(self, worker):
        if worker.watched is None:
            worker.watched = _Watched()
        return worker.watched


def resident_bytes(pid):
    """The resident set of a process; None where the system does not say."""
    try:
        with open("/proc/%d/statm" % pid) as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (IOError, OSError, IndexError, ValueError):
        return None


def _timeout(settings):
    """--timeout; off under --reload, where somebody may sit at a debugger."""
    return 0 if settings.reload else settings.timeout


def _mebibytes(size):
    return "%.0f MiB" % (size / 1048576.0)


def _scattered(pid, most):
    """A number from 0 to `most` that differs from worker to worker. Not by the module random, which
    takes longer to import than all of the master's own.
    """
    return pid * 2654435761 % 2 ** 32 * (most + 1) >> 32

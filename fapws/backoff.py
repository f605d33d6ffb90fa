"""How long a master waits to fork again, after children that died early and forks that failed.

Owns that moment alone; what died is the business of fapws/losses.py, what is forked that of
fapws/reconciling.py.
"""

#: A worker that dies younger than this, in seconds, makes its successor wait.
MIN_UPTIME = 2.0

#: How long, in seconds: for the first early death, doubled with each further one, at most this. The
#: last is the most while nobody serves an application that has served.
FIRST, LONGEST, UNSERVED = 0.25, 15.0, 1.0


class Backoff(object):
    """not_before: when the next child may be forked, in seconds of `process.clock`."""

    def __init__(self):
        self.not_before = 0.0
        self._failures = 0

    def forget(self):
        """Fork at once: what failed is not what comes next, but a further pause is as long."""
        self.not_before = 0.0

    def died(self, now, worked, age):
        """A child died at an age in seconds. worked: it had done what it was forked for."""
        if worked and age >= MIN_UPTIME:
            self._failures = 0
            self.not_before = now
        elif self.not_before <= now:
            self.failed(now)
        # else it began before the failure that is waited for: those that fail together are one.

    def failed(self, now):
        """One more failure. Returns the pause, in seconds."""
        pause = min(FIRST * 2 ** min(self._failures, 20), LONGEST)
        self._failures += 1
        self.not_before = now + pause
        return pause

    def hurry(self, now):
        """Nobody serves an application that has served: the pause is short."""
        self.not_before = min(self.not_before, now + UNSERVED)

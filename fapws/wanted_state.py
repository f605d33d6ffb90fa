"""What the master wants: how many workers, of which generation, or the end.

Data alone, which signals, reports and losses change. fapws/reconciling.py brings the workers to it.
"""


class WantedState(object):
    """workers: how many of them to keep."""

    def __init__(self, workers):
        self.workers = workers
        #: SIGWINCH: no worker is wanted.
        self.resting = False
        #: The number of reloads.
        self.generation = 0
        #: The generation to go back to while a reload is under way, or None.
        self.previous = None
        #: Whether any worker ever served.
        self.served = False
        #: Whether all workers ever did, and that was reported.
        self.ready = False
        #: When `shutdown_delay` is over, by `process.clock`, or None.
        self.ends_at = None
        #: Whether everything ends.
        self.ending = False
        self.exit_code = 0

    @property
    def number(self):
        """How many workers there are to be."""
        return 0 if self.resting or self.ending else self.workers

    @property
    def goes_on(self):
        """Whether no end is near."""
        return not self.ending and self.ends_at is None

    @property
    def reloading(self):
        """Whether a reload is under way."""
        return self.previous is not None

    def begin_reload(self):
        """Want a new generation. Where a reload is overtaken, the generation before it stays."""
        if self.previous is None:
            self.previous = self.generation
        self.generation += 1
        self.resting = False

    def finish_reload(self):
        """The new generation serves."""
        self.previous = None

    def roll_back(self):
        """The new generation does not start."""
        self.generation, self.previous = self.previous, None


def counted(number, kind=""):
    """How many workers, in words."""
    return "%d %sworker%s" % (number, kind, "" if number == 1 else "s")

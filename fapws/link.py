"""What joins the master to its children: a pipe of reports, and the words that go over it.

Owns the form of a report: the child's process id, a word, and what the word needs. What is made
of it is the master's business (fapws/master.py).
"""

import errno
import os

from fapws.pipes import pipe

#: The exit code of a worker whose application cannot be loaded (EX_CONFIG of sysexits.h).
CANNOT_LOAD = 78

#: What a worker reports over its link: that it serves, that it cannot load the application and
#: waits for a change, and that its sources have changed.
SERVING, WAITING, CHANGED = "serving", "waiting", "changed"

#: What a template process reports (fapws/template.py): that it has loaded the application; the
#: process that it forked for a slot; that it could not.
LOADED, FORKED, NOT_FORKED = "loaded", "forked", "not-forked"


class Link(object):
    """A child's end of what joins it to the master.

    report: sends the master one of the words above. lifeline: a descriptor that is at its end when
    the master is no more. slot (int or None): the child's in `board`, a `scoreboard.Scoreboard` or
    None. age: the number of the fork, from 1. orders: of a template, the pipe that it reads; else
    None.
    """

    orders = None

    def __init__(self, descriptor, lifeline, board=None, slot=None, age=0):
        self._descriptor = descriptor
        self.lifeline = lifeline
        self.board = board
        self.slot = slot
        self.age = age

    def report(self, *words):
        """Send the master words; where it is gone they are lost."""
        line = " ".join([str(os.getpid())] + [str(word) for word in words]) + "\n"
        try:
            # Whole, whatever else writes: it is shorter than PIPE_BUF.
            os.write(self._descriptor, line.encode("ascii"))
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EAGAIN):
                raise

    def for_worker(self, slot, age):
        """The Link of a worker that this process has forked."""
        return Link(self._descriptor, self.lifeline, self.board, slot, age)


class Reports(object):
    """The master's end. descriptor: readable when a child has reported; writer: a Link's end."""

    def __init__(self):
        self.descriptor, self.writer = pipe()
        self._partial = b""

    def read(self):
        """What was reported since the last time: a list of (process id, word, list of details)."""
        while True:
            try:
                self._partial += os.read(self.descriptor, 65536)
            except OSError as error:
                if error.errno == errno.EINTR:
                    continue
                if error.errno != errno.EAGAIN:
                    raise
                break
        lines = self._partial.split(b"\n")
        self._partial = lines.pop()
        reports = [line.decode("latin-1").split() for line in lines]
        return [
            (int(words[0]), words[1], words[2:])
            for words in reports
            if len(words) >= 2 and words[0].isdigit()
        ]

    def close(self):
        """Close the reading end, in a child."""
        os.close(self.descriptor)

"""Signals that came, in order, for a process that looks at them when it has time.

Owns the handlers while they are in force. What a signal means is the owner's business: a handler
only notes it, and makes `descriptor` readable.
"""

import os
import signal

from fapws.pipes import drain, pipe


class SignalQueue(object):
    """numbers: the signals that are caught from now on, until `restore`. Only for the main thread.

    descriptor: readable when a signal has come.
    """

    def __init__(self, numbers):
        self._came = []
        self._saved = [(number, signal.getsignal(number)) for number in numbers]
        self.descriptor, self._writer = pipe()
        signal.set_wakeup_fd(self._writer)
        for number in numbers:
            signal.signal(number, self._note)

    def _note(self, number, frame):
        self._came.append(number)

    def __len__(self):
        return len(self._came)

    def take(self):
        """The signal that came first of those that are left; there is one."""
        return self._came.pop(0)

    def after(self, length):
        """Those that came since the queue had this length, if none was taken meanwhile."""
        return self._came[length:]

    def drain(self):
        """Have the descriptor be readable no more, until the next signal."""
        drain(self.descriptor)

    def restore(self):
        """Put the handlers of before in force again."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._saved:
            signal.signal(number, handler)
        os.close(self.descriptor)
        os.close(self._writer)

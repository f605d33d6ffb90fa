"""The command at a terminal: a pseudoterminal that only it has."""

import fcntl
import os
import termios

from command import Command


class AtTerminal(Command):
    """The command as the foreground job of a terminal of its own, which is its stdin.

    `terminal` is the other end: what is typed is written there.
    """

    may_fork = False
    terminal = None

    def start(self):
        """Run the command and wait until an application answers; returns self."""
        self.terminal, its_end = os.openpty()
        try:
            self._its_end = its_end
            return super().start()
        finally:
            os.close(its_end)

    def _popen_options(self):
        def take_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        return {"stdin": self._its_end, "preexec_fn": take_terminal}

    def press_ctrl_c(self):
        """Have the terminal send SIGINT to the job: to the master and its workers."""
        os.write(self.terminal, b"\x03")

    def kill(self):
        """End the program at once."""
        super().kill()
        self.close()

    def wait(self):
        """Wait for the program to end by itself; returns its Outcome."""
        try:
            return super().wait()
        finally:
            self.close()

    def close(self):
        """Close the terminal."""
        if self.terminal is not None:
            os.close(self.terminal)
            self.terminal = None

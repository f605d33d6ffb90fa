"""The command with its standard streams where a shell can put them, and pipes and terminals that
nobody reads.
"""

import contextlib
import os
import pty

from command import Command

#: With a closed stderr Python 3 itself does not start under it.
NO_FAULTHANDLER = {"PYTHONFAULTHANDLER": ""}


class Redirected(Command):
    """The command as a shell starts it with `redirections`."""

    def __init__(self, environment, redirections, *arguments, **options):
        super().__init__(environment, *arguments, env=NO_FAULTHANDLER, **options)
        self.command = redirected(redirections, self.command)


def redirected(redirections, command):
    """A shell's command line for a command with its redirections."""
    return ["sh", "-c", f'exec "$@" {redirections}', "sh", *command]


def fill(descriptor):
    """Write to a descriptor that does not block until nothing fits, and nobody reads it."""
    for size in (4096, 1):
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(descriptor, b"x" * size)


@contextlib.contextmanager
def pipe(folder):
    """A named pipe; gives an end that does not block."""
    os.mkfifo(folder / "pipe")
    end = os.open(folder / "pipe", os.O_RDWR | os.O_NONBLOCK)
    try:
        yield end
    finally:
        os.close(end)


@contextlib.contextmanager
def stalled_terminal(folder):
    """A terminal whose emulator reads nothing any more, with room for less than a line."""
    emulator, terminal = pty.openpty()
    path = os.ttyname(terminal)
    own = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        fill(own)
        os.read(emulator, 20)
        yield f"> {path} 2> {path}"
    finally:
        for descriptor in (own, emulator, terminal):
            os.close(descriptor)

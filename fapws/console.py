"""Writes to stdout and stderr, which may be closed, broken, full, or a pipe that nobody reads.

Owns one rule: what cannot be written at once is lost. Nothing here raises or waits, so the server
continues whatever a terminal does. The core keeps the same rule for its own lines
(src/app/console.rs).
"""

import fcntl
import os
import select
import stat
import sys

#: Bytes that a pipe takes whole or not at all, whatever else writes to it.
PIECE = select.PIPE_BUF

_STDOUT, _STDERR = 1, 2

_FAILURES = (EnvironmentError, ValueError, select.error)


def open_standard():
    """Open the null device on each of descriptors 0 to 2 that is closed; called first of all.

    What is opened later would get their numbers, and a listener's clients the program's output.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest number that is free: those below it are open by now.
            os.open(os.devnull, os.O_RDWR)
            # Python 3 would close it for the programs that are run here.
            fcntl.fcntl(descriptor, fcntl.F_SETFD, 0)
        if getattr(sys, name) is None:
            # Python 3 has no stream for what was closed; applications take it for granted. It
            # does not own the number, which must not be free again when a program replaces it.
            setattr(sys, name, os.fdopen(descriptor, mode, closefd=False))


def complain(text):
    """Write text on stderr."""
    _write(_STDERR, _encoded(text, sys.stderr))


def at_terminal():
    """Whether stderr is a terminal."""
    return os.isatty(_STDERR)


def flush():
    """Empty Python's own buffers of stdout and stderr, if that needs no waiting."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and _is_ready(stream.fileno()):
                stream.flush()
        except _FAILURES:
            pass


class nonblocking_stdio(object):
    """While code runs that may print, and that nothing is to hold up: its lines obey the rule."""

    # Not a generator: contextlib takes a tenth of the command's start.

    def __enter__(self):
        self._before = sys.stdout, sys.stderr
        self._streams = _Stream(_STDOUT, sys.stdout), _Stream(_STDERR, sys.stderr)
        sys.stdout, sys.stderr = self._streams

    def __exit__(self, *exc_info):
        # What the code itself put there stays.
        if sys.stdout is self._streams[0]:
            sys.stdout = self._before[0]
        if sys.stderr is self._streams[1]:
            sys.stderr = self._before[1]


class NonBlockingWriter(object):
    """Writes to a descriptor what can be written at once.

    may_block: whether somebody has to read what is written, as with a pipe, a terminal or a socket.
    A descriptor that is `owned` is closed by `close`. Raises OSError for one that is not open.

    To ask first is not enough: between the question and the writing another process may fill a
    pipe that both share, and a terminal that has room for a byte waits with the rest of a line. So
    both are opened a second time where Linux's /proc allows that, as a description that does not
    block; the flags of the first one belong to everybody who has it, a shell among them. What
    cannot be opened again is polled: a socket that is ready takes PIECE bytes, and so does a pipe.
    """

    def __init__(self, descriptor, owned=False):
        mode = os.fstat(descriptor).st_mode
        self.may_block = not stat.S_ISREG(mode)
        self._descriptor = descriptor
        self._owned = owned
        self._own = None
        if stat.S_ISFIFO(mode) or os.isatty(descriptor):
            self._own = _opened_again(descriptor)

    def write(self, data):
        """Write bytes; what does not fit is lost."""
        size = PIECE if self.may_block else max(len(data), 1)
        try:
            for start in range(0, len(data), size):
                piece = data[start:start + size]
                if self._own is None and self.may_block and not _is_ready(self._descriptor):
                    return
                target = self._descriptor if self._own is None else self._own
                if os.write(target, piece) < len(piece):
                    return
        except _FAILURES:
            pass

    def close(self):
        """Close what was opened."""
        if self._own is not None:
            os.close(self._own)
        if self._owned:
            os.close(self._descriptor)


class _Stream(object):
    """In the place of one of Python's streams. Buffers nothing, so that no fork doubles it."""

    def __init__(self, descriptor, stream):
        self._descriptor = descriptor
        self._stream = stream

    def write(self, text):
        _write(self._descriptor, _encoded(text, self._stream))
        return len(text)

    def writelines(self, lines):
        self.write("".join(lines))

    def flush(self):
        pass

    def __getattr__(self, name):
        return getattr(self._stream, name)


def _write(descriptor, data):
    try:
        writer = NonBlockingWriter(descriptor)
    except OSError:
        return  # closed
    writer.write(data)
    writer.close()


def _encoded(text, stream):
    if isinstance(text, bytes):
        return text
    return text.encode(getattr(stream, "encoding", None) or "utf-8", "backslashreplace")


def _opened_again(descriptor):
    """A descriptor for the same pipe or terminal that does not block, or None."""
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY
    try:
        own = os.open("/proc/self/fd/%d" % descriptor, flags)
    except OSError:
        return None
    fcntl.fcntl(own, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    return own


def _is_ready(descriptor):
    """Whether a descriptor takes a piece at once, or fails at once."""
    # Not select(2), which knows no descriptor above 1023.
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(0))

"""The file with the master's process id, which says whether a master lives.

A lock on the file says so (flock(2)), not the number in it, which may be another program's by now.
Invariant: a reader of the file finds a whole number or no file, and the lock is held by the
master alone: workers close what they inherit.
"""

import errno
import fcntl
import os

from fapws.settings import SettingsError


class PidFile(object):
    """The file at `path`, locked and written; SettingsError where that cannot be.

    succeeds: another master has it, which this one is to follow; it is left alone until
    `take_over`.
    """

    def __init__(self, path, succeeds=False):
        self.path = os.path.abspath(path)
        self._descriptor = None
        if succeeds:
            return
        try:
            self._take(path)
        except (IOError, OSError) as error:
            raise SettingsError("--pid %s: %s" % (path, error.strerror))

    def _take(self, path):
        while True:
            old = _open(self.path)
            try:
                if not _locked(old):
                    number = os.read(old, 32).decode("latin-1").strip()
                    raise SettingsError("%s: a master is already running (%s)" % (path, number))
                if not _is_at(old, self.path):
                    continue  # replaced meanwhile
                text = os.read(old, 32).strip()
                if text and not text.lstrip(b"-").isdigit():
                    raise SettingsError("--pid %s: the file exists, and has no process id" % path)
                self._replace()
                return
            finally:
                os.close(old)

    def _replace(self):
        """Put a new file in the old one's place, which is locked meanwhile."""
        new = "%s.%d" % (self.path, os.getpid())
        descriptor = _open(new)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.write(descriptor, ("%d\n" % os.getpid()).encode("ascii"))
            os.rename(new, self.path)
        except BaseException:
            os.close(descriptor)
            os.unlink(new)
            raise
        self._descriptor = descriptor

    def take_over(self):
        """Put this process's number there, whatever it holds; whether that was possible."""
        try:
            if self._descriptor is None or not _is_at(self._descriptor, self.path):
                self.forget()
                self._replace()
        except (IOError, OSError):
            return False
        return True

    def forget(self):
        """Close it, in a process that is not the master."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def remove(self):
        """Remove the file, unless it is another master's by now."""
        if self._descriptor is None:
            return
        try:
            if _is_at(self._descriptor, self.path):
                os.unlink(self.path)
        except OSError:
            # Its folder is not ours to change: an empty file is no master's.
            os.ftruncate(self._descriptor, 0)
        self.forget()


def _open(path):
    """A descriptor for the file, which is made where there is none."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    # Python 2 hands everything to the programs it runs.
    fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    return descriptor


def _locked(descriptor):
    """Lock the file; whether nobody else has."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (IOError, OSError) as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        return False
    return True


def _is_at(descriptor, path):
    """Whether the path still leads to the file."""
    try:
        there, here = os.stat(path), os.fstat(descriptor)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

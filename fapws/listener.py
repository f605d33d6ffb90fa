"""A listening socket, as the command and the core have it.

Owns the descriptor, and the file of a unix socket as long as this process is the one to remove it.
Who opens one is the business of fapws/listening.py.
"""

import os
import socket

from fapws import _evwsgi


class AddressError(Exception):
    """An address that is misspelt, or cannot be listened on."""


class Listener(object):
    """One listening socket.

    shown: the address, for people. bind: the same as `--bind` has it, None for a socket that was
    handed over. `register` gives it to the core of this process.
    """

    bind = None

    def __init__(self, shown, descriptor, name, port):
        self.shown = shown
        self._descriptor = descriptor
        self._name = name
        self._port = port

    @property
    def address(self):
        """(host, port), or the path of a unix socket."""
        # On Linux getsockname gives the address whatever family the wrapper was made with; this
        # family's addresses are the longest.
        wrapper = socket.fromfd(self._descriptor, socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            name = wrapper.getsockname()
        finally:
            wrapper.close()
        return tuple(name[:2]) if isinstance(name, tuple) else name

    def register(self):
        """Have the core of this process accept here; called once, in the process that serves.

        The descriptor is the core's from then on, which closes it when it drains: a worker that
        outlives its master must not keep the address from the next one.
        """
        _evwsgi.start_fd(self._descriptor, self._name, self._port)

    def close(self):
        """Stop listening, as far as this process is concerned; once."""
        if self._descriptor is not None:
            self.remove()
            os.close(self._descriptor)
            self._descriptor = None

    def disown(self):
        """What has a name in a folder is another master's."""

    def own(self):
        """It is this one's."""

    def handed(self):
        """What another master needs of it, for `adopt_handed`."""
        return [self.bind, self.shown, self._descriptor, self._name, self._port, None]

    def remove(self):
        """Remove what is left when nobody listens any more."""


class UnixListener(Listener):
    """A socket with a path, which is removed with it, unless somebody else's is there by now."""

    def __init__(self, shown, descriptor, path):
        # The words of SERVER_NAME and SERVER_PORT: what a URL of this server would have.
        Listener.__init__(self, shown, descriptor, "localhost", "80")
        self._path = path
        self._identity = _identity(path)

    def remove(self):
        if self._identity and _identity(self._path) == self._identity:
            try:
                os.unlink(self._path)
            except OSError:
                pass  # its folder is not ours to change: the next server replaces a stale file

    def disown(self):
        self._identity = None

    def own(self):
        self._identity = _identity(self._path)

    def handed(self):
        return Listener.handed(self)[:-1] + [self._path]


def _identity(path):
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino

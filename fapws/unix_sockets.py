"""Listening sockets with a path, or an abstract name: their notation, rights, and stale files.

Invariant: a file that a server listens on, or that is no socket, is never replaced.
"""

import errno
import os
import re
import socket
import stat

from fapws.listener import AddressError, Listener, UnixListener
from fapws.pipes import close_on_exec


def listen_unix(text, backlog):
    """The Listener of what follows `unix:` in `--bind`; AddressError."""
    path, mode, owner = _unix_parts(text)
    shown = "unix:" + path
    # Linux's abstract names, which are no files, as ss and systemd write them.
    abstract = path.startswith("@")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if abstract:
            listener.bind("\0" + path[1:])
            listener.listen(backlog)
        elif _is_stale(path):
            _replace_stale(listener, path, mode, owner, backlog)
        else:
            _bind_unix(listener, path, mode, owner)
            listener.listen(backlog)
        descriptor = os.dup(listener.fileno())
    except (OSError, socket.error) as error:
        # A path that is too long has no error number.
        raise AddressError("cannot listen on %s: %s" % (shown, error.strerror or error))
    finally:
        listener.close()
    close_on_exec(descriptor)
    if abstract:
        return Listener(shown, descriptor, "localhost", "80")
    return UnixListener(shown, descriptor, path)


def _unix_parts(text):
    """Path, mode and (uid, gid) of `PATH?mode=660&owner=USER:GROUP`; None for what is not said."""
    path, question, query = text.partition("?")
    if not path:
        raise AddressError("unix: needs a path, as in unix:/run/site.sock")
    mode = owner = None
    for pair in query.split("&") if question else ():
        name, _, value = pair.partition("=")
        if name == "mode" and re.match("[0-7]{3,4}$", value):
            mode = int(value, 8)
        elif name == "owner" and value:
            owner = _owner(text, value)
        else:
            raise AddressError(
                "unix:%s: %r is not one of mode=660, owner=USER:GROUP" % (text, pair))
    if path.startswith("@") and question:
        raise AddressError("unix:%s: an abstract socket has no mode and no owner" % text)
    return path, mode, owner


def _owner(text, value):
    from fapws.settings import SettingsError, find

    user, _, group = value.partition(":")
    where = "unix:" + text
    try:
        uid = find("user").parse(user, where) if user else -1
        return uid, find("group").parse(group, where) if group else -1
    except SettingsError as error:
        raise AddressError(str(error))


def _bind_unix(listener, path, mode, owner):
    """Make the socket's file; nobody reaches it before it has its owner and mode."""
    if mode is None and owner is None:
        listener.bind(path)
        return
    before = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(before)
    try:
        if owner is not None:
            os.chown(path, *owner)
        os.chmod(path, 0o777 & ~before if mode is None else mode)
    except OSError:
        os.unlink(path)
        raise


def _replace_stale(listener, path, mode, owner, backlog):
    """Listen in the place of a stale file, as the core does (src/sys/listener.rs): beside it first,
    so that a client finds the old file or the new server, never nothing.
    """
    beside = os.path.join(os.path.dirname(path), ".fapws-%d" % os.getpid())
    try:
        os.unlink(beside)  # left by a process of the same number that was killed here
    except OSError:
        pass
    try:
        _bind_unix(listener, beside, mode, owner)
    except (OSError, socket.error) as error:
        if error.errno is not None:
            raise
        # Only the longest paths have no room for the other name.
        os.unlink(path)
        _bind_unix(listener, path, mode, owner)
        listener.listen(backlog)
        return
    listener.listen(backlog)
    try:
        os.rename(beside, path)
    except OSError:
        os.unlink(beside)
        raise


def _is_stale(path):
    """Whether a socket file is there that no server listens on; AddressError for anything else."""
    if not os.path.lexists(path):
        return False
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise AddressError("cannot listen on unix:%s: the file exists and is not a socket" % path)
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.settimeout(1)
    try:
        probe.connect(path)
    except (OSError, socket.error) as error:
        # Nobody has it open. A server too busy to accept is another error, and left alone.
        if error.errno == errno.ECONNREFUSED:
            return True
        raise
    finally:
        probe.close()
    raise AddressError("cannot listen on unix:%s: a server is listening there" % path)

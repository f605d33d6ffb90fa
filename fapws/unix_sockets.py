"""Listening sockets with a path, or an abstract name: their notation in `--bind`.

What may be replaced at a path, and how, is the core's to say (src/sys/unix_listener.rs): a file
that a server listens on, or that is no socket, never is.
"""

import os
import re
import socket

from fapws import _evwsgi
from fapws.listener import AddressError, Listener, UnixListener


def listen_unix(text, backlog):
    """The Listener of what follows `unix:` in `--bind`; AddressError."""
    path, mode, uid, gid = _unix_parts(text)
    shown = "unix:" + path
    # Linux's abstract names, which are no files, as ss and systemd write them.
    abstract = path.startswith("@")
    name = "\0" + path[1:] if abstract else path
    try:
        descriptor = _evwsgi.listen_unix(_bytes(name), mode, uid, gid)
    except _evwsgi.error as error:
        folder = os.path.dirname(path)
        missing = folder and not (abstract or os.path.exists(folder))
        reason = "there is no folder %s" % folder if missing else error
        raise AddressError("cannot listen on %s: %s" % (shown, reason))
    wrapper = socket.fromfd(descriptor, socket.AF_UNIX, socket.SOCK_STREAM)
    wrapper.listen(backlog)
    wrapper.close()
    if abstract:
        return Listener(shown, descriptor, "localhost", "80")
    return UnixListener(shown, descriptor, path)


def _bytes(name):
    # On Python 2 it is bytes already.
    return os.fsencode(name) if hasattr(os, "fsencode") else name


def _unix_parts(text):
    """Path, mode, uid and gid of `PATH?mode=660&owner=USER:GROUP`; -1 for what is not said."""
    path, question, query = text.partition("?")
    if not path:
        raise AddressError("unix: needs a path, as in unix:/run/site.sock")
    mode = uid = gid = -1
    for pair in query.split("&") if question else ():
        name, _, value = pair.partition("=")
        if name == "mode" and re.match("[0-7]{3,4}$", value):
            mode = int(value, 8)
        elif name == "owner" and value:
            uid, gid = _owner(text, value)
        else:
            raise AddressError(
                "unix:%s: %r is not one of mode=660, owner=USER:GROUP" % (text, pair))
    if path.startswith("@") and question:
        raise AddressError("unix:%s: an abstract socket has no mode and no owner" % text)
    return path, mode, uid, gid


def _owner(text, value):
    from fapws.settings import SettingsError, find

    user, _, group = value.partition(":")
    where = "unix:" + text
    try:
        uid = find("user").parse(user, where) if user else -1
        return uid, find("group").parse(group, where) if group else -1
    except SettingsError as error:
        raise AddressError(str(error))

"""The addresses that the command listens on: their notation, and the sockets.

Owns `--bind` and what systemd hands over. Accepts nothing: the core does, in the workers, on what
is opened here before they are forked, so that all of them share one queue and a worker that ends
leaves nobody waiting in a queue of its own.
"""

import errno
import fcntl
import os
import re
import socket
import stat

from fapws import _evwsgi

#: Connections that may wait to be accepted: as many as the kernel's own limit (somaxconn) lets.
BACKLOG = 65535

#: The first descriptor of socket activation: behind stdin, stdout and stderr (sd_listen_fds(3)).
FIRST_INHERITED = 3

#: More than any descriptor, and less than a C int.
_MOST = 10 ** 9

_NOTATIONS = "HOST:PORT, [IPV6]:PORT, unix:PATH, fd://NUMBER"


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


def listen(address, backlog=None):
    """The Listeners on an address as `--bind` has it; AddressError.

    A name has one for each of its addresses; no host means all of this machine, IPv4 and IPv6.
    """
    listeners = _listen(address, backlog or BACKLOG)
    for listener in listeners:
        listener.bind = address
    return listeners


def _listen(address, backlog):
    if address.startswith("fd://"):
        return [adopt(address[5:])]
    if address.startswith("unix:"):
        return [_listen_unix(address[5:], backlog)]
    host, port = _host_and_port(address)
    return _listen_tcp(host, port, backlog)


def shown(listeners):
    """The addresses of listeners, for people, each once."""
    found = []
    for listener in listeners:
        if listener.shown not in found:
            found.append(listener.shown)
    return found


def adopt_handed(bind, shown, descriptor, name, port, path):
    """The Listener that another master has handed over; the file of a unix socket remains its own.
    """
    _close_on_exec(descriptor)
    if path is None:
        listener = Listener(shown, descriptor, name, port)
    else:
        listener = UnixListener(shown, descriptor, path)
        listener.disown()
    listener.bind = bind
    return listener


def inherited(environ):
    """The Listeners that systemd opened for this very process (LISTEN_PID and LISTEN_FDS)."""
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    try:
        count = int(environ.get("LISTEN_FDS", "0"))
    except ValueError:
        raise AddressError("LISTEN_FDS is %r, not a number" % environ["LISTEN_FDS"])
    return [adopt(str(FIRST_INHERITED + each)) for each in range(count)]


def adopt(number):
    """The Listener of a socket that somebody else opened."""
    descriptor = _number(number, _MOST)
    if descriptor is None:
        raise AddressError("fd://%s: a descriptor is a number, as in fd://3" % number)
    try:
        # The family is not known yet, and does not matter to the question.
        wrapper = socket.fromfd(descriptor, socket.AF_UNIX, socket.SOCK_STREAM)
    except (OSError, socket.error) as error:
        raise AddressError("fd://%s: %s" % (number, os.strerror(error.errno)))
    try:
        if not wrapper.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise AddressError("fd://%s is a socket that does not listen" % number)
        name = wrapper.getsockname()
    except socket.error as error:
        raise AddressError("fd://%s: %s" % (number, os.strerror(error.errno)))
    finally:
        wrapper.close()
    _close_on_exec(descriptor)
    if isinstance(name, tuple):
        return Listener(_shown(*name[:2]), descriptor, name[0], str(name[1]))
    return Listener("fd://" + number, descriptor, "localhost", "80")


def _host_and_port(address):
    matched = re.match(r"(?:\[([^\]]*)\]|([^:\[\]/]*)):([^:]+)$", address)
    if not matched:
        raise AddressError("invalid address %r: write one of %s%s" % (
            address, _NOTATIONS, _correction(address)))
    host = matched.group(2) if matched.group(1) is None else matched.group(1)
    port = _number(matched.group(3), 65535)
    if port is None:
        raise AddressError("%r: a port is a number from 0 to 65535" % address)
    return host, port


def _number(text, most):
    """A number in digits, at most this one, or None."""
    # Not isdigit(), which knows digits that int() does not.
    if not re.match("[0-9]{1,10}$", text) or int(text) > most:
        return None
    return int(text)


def _correction(address):
    if address.isdigit():
        return "; did you mean 127.0.0.1:%s?" % address
    if "//" in address:
        return "; did you mean %s?" % address.split("//", 1)[1].rstrip("/")
    if "/" in address:
        return "; did you mean unix:%s?" % address
    if address.count(":") > 1:
        host, _, port = address.rpartition(":")
        return "; an IPv6 address needs brackets: [%s]:%s" % (host, port)
    return "; did you mean %s:8000?" % address


#: What says that this machine has no such address: no fault where a name has others.
_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)

#: How often a free port is looked for that is free in both families.
_PORT_ATTEMPTS = 20


def _listen_tcp(host, port, backlog):
    shown = _shown(host or "*", port)
    try:
        flags = socket.AI_PASSIVE
        found = socket.getaddrinfo(
            host or None, port, socket.AF_UNSPEC, socket.SOCK_STREAM, 0, flags
        )
    except socket.gaierror as error:
        raise AddressError("cannot listen on %s: %s" % (shown, error.args[1]))
    except UnicodeError:
        raise AddressError("cannot listen on %s: there is no such name" % shown)
    addresses = []
    for family, kind, protocol, _, address in found:
        if (family, kind, protocol, address) not in addresses:
            addresses.append((family, kind, protocol, address))
    for attempt in range(_PORT_ATTEMPTS):
        try:
            return _listen_each(host, port, addresses, backlog)
        except (OSError, socket.error) as error:
            is_last = attempt == _PORT_ATTEMPTS - 1
            if port or error.errno != errno.EADDRINUSE or is_last:
                raise AddressError("cannot listen on %s: %s%s" % (
                    shown, os.strerror(error.errno), _remedy(error.errno, port)))


def _listen_each(host, port, addresses, backlog):
    """A Listener for each address that this machine has, all on one port; OSError."""
    opened = []
    absent = None
    try:
        for family, kind, protocol, address in addresses:
            address = (address[0], port) + address[2:]
            alone = len(addresses) == 1
            try:
                descriptor, port = _bound(family, kind, protocol, address, backlog, alone)
            except (OSError, socket.error) as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error
            else:
                opened.append((descriptor, host or address[0]))
        if not opened:
            raise absent
    except BaseException:
        for descriptor, _ in opened:
            os.close(descriptor)
        raise
    shown = _shown(host or "*", port)
    return [Listener(shown, descriptor, name, str(port)) for descriptor, name in opened]


def _bound(family, kind, protocol, address, backlog, alone):
    """The descriptor of a socket that listens, and its port.

    An IPv6 socket that is not alone leaves IPv4 to the other one.
    """
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and not alone:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(backlog)
        descriptor = os.dup(listener.fileno())
        _close_on_exec(descriptor)
        return descriptor, listener.getsockname()[1]
    finally:
        listener.close()


def _remedy(code, port):
    if code == errno.EADDRINUSE:
        return "; another server uses this port: stop it, or choose another port with --bind"
    if code == errno.EACCES and port < 1024:
        return "; ports below 1024 need root: choose another, or use systemd's socket activation"
    return ""


def _listen_unix(text, backlog):
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
    _close_on_exec(descriptor)
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


def _identity(path):
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _shown(host, port):
    return "http://%s:%s" % ("[%s]" % host if ":" in host else host, port)


def _close_on_exec(descriptor):
    # Python 2 opens everything for the programs it runs, CGI scripts among them.
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
    fcntl.fcntl(descriptor, fcntl.F_SETFD, flags | fcntl.FD_CLOEXEC)

"""A line for each request of one application, in gunicorn's notation for formats.

For programs that log one application of several, and for the worker class for gunicorn, which logs
by gunicorn's logger. The log of a whole server is the core's: `config.access_log` has a line for
each response, including those that reach no application.

Owns the line and the file it goes to. Invariants: a request's line is one line, written at once, so
that several processes can share a file; if the log cannot be written, or is read too slowly, lines
are lost and responses are not affected. On a pipe, a terminal or a socket a line is cut at the
length that a pipe takes at once (4096 bytes on Linux).

Atoms, each written `%(atom)s`:

    h  client's address            s  status                  T  seconds taken, whole
    l  always -                    B  bytes of the body       D  microseconds taken
    u  user, or -                  b  the same, - for none    M  milliseconds taken
    t  time of the request         f  Referer                 L  seconds taken, with fraction
    r  request line                a  User-Agent              p  process id
    m U q H  method, path, query, protocol
    st reason phrase               Q  microseconds waited before the call: - here, the core knows
    {name}i {name}o {name}e        a request header, a response header, an environ variable
"""

import base64
import calendar
import errno
import os
import re
import stat
import sys
import time

from fapws import console

if sys.version_info[0] == 2:
    from urllib import quote as _quote
else:
    from urllib.parse import quote as _quote

COMBINED = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'

_ATOM = re.compile(r"%\(([^)]*)\)s|%%|(%)")
# English whatever the locale, for those who parse the log.
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()

try:
    _now = time.perf_counter
except AttributeError:
    _now = time.time  # Python 2


def check(pattern):
    """Raise ValueError for a format with an atom that does not exist."""
    for match in _ATOM.finditer(pattern or COMBINED):
        atom, stray = match.groups()
        if stray:
            raise ValueError("a %% at %d begins no %%(atom)s" % match.start())
        if atom is not None and atom not in _Entry.KNOWN and not re.match(r"\{[^}]+\}[ioe]$", atom):
            raise ValueError("there is no atom %%(%s)s" % atom)


def check_file(path):
    """Raise OSError for a file, or "-", that cannot be appended to; one that is not there is made.

    A pipe is not opened: its reader would take the end of this check for the end of the log.
    """
    if path != "-" and not _is_pipe(path):
        os.close(_open(path))


class AccessLog(object):
    """The application with a log before it.

    path: a file, which is appended to, or "-" for stdout. pattern: the format.
    Raises ValueError for a wrong format, OSError for a file that cannot be opened.
    """

    def __init__(self, application, path="-", pattern=None):
        check(pattern)
        self._application = application
        self._pattern = pattern or COMBINED
        self._path = path
        self._writer = None
        self.reopen()

    def reopen(self):
        """Open the file anew, after it was moved away (logrotate)."""
        is_stdout = self._path == "-"
        writer = _stdout() if is_stdout else console.NonBlockingWriter(_open(self._path), True)
        replaced, self._writer = self._writer, writer
        if replaced:
            replaced.close()

    def __call__(self, environ, start_response):
        entry = _Entry(environ, start_response)
        try:
            result = self._application(environ, entry.start_response)
        except BaseException:
            entry.fail()
            self.write(entry)
            raise
        if isinstance(result, (list, tuple)):
            entry.size = sum(map(_length, result))
        elif hasattr(result, "fileno") or hasattr(result, "filelike"):
            # Sent by the kernel: a wrapper around it would undo that.
            entry.announced()
        else:
            return _Counted(self, entry, result)
        self.write(entry)
        return result

    def line(self, entry):
        """The text for an entry, whose request is over."""
        return _ATOM.sub(entry.finish().atom, self._pattern)

    def write(self, entry):
        """Write an entry's line, or lose it."""
        line = self.line(entry).encode("ascii", "replace")
        if self._writer:
            if self._writer.may_block:
                line = line[: console.PIECE - 1]
            self._writer.write(line + b"\n")


def _stdout():
    """The NonBlockingWriter of stdout, or None where that is closed."""
    try:
        return console.NonBlockingWriter(sys.stdout.fileno())
    except (AttributeError, EnvironmentError, ValueError):
        return None


def _open(path):
    """A descriptor for a file that is appended to; a pipe is not waited for."""
    flags = os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY
    try:
        return os.open(path, os.O_WRONLY | flags, 0o644)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
    # A pipe without a reader yet can be opened for both.
    return os.open(path, os.O_RDWR | flags, 0o644)


def _is_pipe(path):
    return os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode)


def _get(key):
    return lambda self: _field(self._environ.get(key))


class _Entry(object):
    """What is known of one request. size: bytes of the body, None when it is not known."""

    def __init__(self, environ, start_response):
        self._environ = environ
        self._time = time.time()
        self._began = _now()
        self._took = None
        self._status = None
        self._reason = None
        self._headers = None
        self.start_response = _Starter(self, start_response)
        self.size = 0
        self.written = 0  # by way of write()

    def said(self, status, headers):
        """The application has called start_response."""
        self._status, self._headers = str(status)[:3], headers
        self._reason = str(status)

    def fail(self):
        """The application raised: the core responds with a 500."""
        self.said("500", [])

    def announced(self):
        """Take the size from Content-Length, for a body that is not seen here."""
        length = self._header("content-length")
        self.size = int(length) if length.isdigit() else None

    def finish(self):
        """The request is over. Returns self."""
        self._took = _now() - self._began
        return self

    def atom(self, match):
        """The text for an atom in the format."""
        name = match.group(1)
        if name is None:
            return "%"
        if name[0] == "{":
            return _field(self._named(name[1:-2], name[-1]))
        return self._ATOMS[name](self)

    def _named(self, name, kind):
        if kind == "e":
            return self._environ.get(name)
        if kind == "o":
            return self._header(name.lower())
        key = name.upper().replace("-", "_")
        return self._environ.get("HTTP_" + key) or self._environ.get(key)

    def _header(self, name):
        """A response header, or ""; programs of the original's kind set attributes instead."""
        headers = self._headers
        if headers is None:
            headers = getattr(self.start_response, "response_headers", {}).items()
        for key, value in headers:
            if key.lower() == name:
                return str(value)
        return ""

    def _local_time(self):
        at = time.localtime(self._time)
        offset = (calendar.timegm(at) - int(self._time)) // 60
        zone = "%s%02d%02d" % (("-" if offset < 0 else "+",) + divmod(abs(offset), 60))
        moment = (at.tm_mday, _MONTHS[at.tm_mon - 1]) + tuple(at)[:1] + tuple(at)[3:6] + (zone,)
        return "[%02d/%s/%d:%02d:%02d:%02d %s]" % moment

    def _target(self):
        if "fapws.uri" in self._environ:
            return self._environ["fapws.uri"]
        path = self._environ.get("SCRIPT_NAME", "") + self._environ.get("PATH_INFO", "")
        path = _quote(path if isinstance(path, bytes) else path.encode("latin-1"))
        query = self._environ.get("QUERY_STRING")
        return path + "?" + query if query else path

    def _request_line(self):
        environ = self._environ
        words = environ.get("REQUEST_METHOD"), self._target(), environ.get("SERVER_PROTOCOL")
        return _field("%s %s %s" % words)

    def _user(self):
        if self._environ.get("REMOTE_USER"):
            return _field(self._environ["REMOTE_USER"])
        scheme, _, credentials = self._environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "basic":
            return "-"
        try:
            decoded = base64.b64decode(credentials.strip().encode("latin-1"))
        except (TypeError, ValueError):
            return "-"
        return _field(decoded.decode("latin-1").partition(":")[0])

    def _body(self):
        if self._environ.get("REQUEST_METHOD") == "HEAD":
            return 0
        return None if self.size is None else self.size + self.written

    def _status_code(self):
        return _field(self._status or getattr(self.start_response, "status_code", None))

    _ATOMS = {
        "h": _get("REMOTE_ADDR"),
        "l": lambda self: "-",
        "u": _user,
        "t": _local_time,
        "r": _request_line,
        "m": _get("REQUEST_METHOD"),
        "U": lambda self: _field(self._target().partition("?")[0]),
        "q": _get("QUERY_STRING"),
        "H": _get("SERVER_PROTOCOL"),
        "s": _status_code,
        "B": lambda self: "-" if self._body() is None else str(self._body()),
        "b": lambda self: str(self._body() or "-"),
        "f": _get("HTTP_REFERER"),
        "a": _get("HTTP_USER_AGENT"),
        "T": lambda self: "%d" % self._took,
        "D": lambda self: "%d" % (self._took * 1e6),
        "M": lambda self: "%d" % (self._took * 1e3),
        "L": lambda self: "%.6f" % self._took,
        "st": lambda self: _field((self._reason or "")[4:]),
        "Q": lambda self: "-",
        "p": lambda self: "<%d>" % os.getpid(),
    }
    KNOWN = frozenset(_ATOMS)


class _Starter(object):
    """The server's start_response, overheard. Its attributes are the server's, to get and to set:
    programs of the original's kind use them.
    """

    def __init__(self, entry, real):
        object.__setattr__(self, "_entry", entry)
        object.__setattr__(self, "_real", real)

    def __getattr__(self, name):
        return getattr(self._real, name)

    def __setattr__(self, name, value):
        setattr(self._real, name, value)

    def __call__(self, status, headers, *exc_info):
        write = self._real(status, headers, *exc_info)
        entry = self._entry
        entry.said(status, headers)
        if write is None:
            return None  # the legacy dialect has none

        def counted(data):
            entry.written += len(data)
            return write(data)

        return counted


class _Counted(object):
    """An application's iterator, counted. Its line is written when it is closed."""

    def __init__(self, log, entry, result):
        self._log = log
        self._entry = entry
        self._result = result
        self._items = iter(result)

    def __iter__(self):
        return self

    def __next__(self):
        item = next(self._items)
        self._entry.size += _length(item)
        return item

    next = __next__  # Python 2

    def close(self):
        """Called once by the server, whatever happened."""
        try:
            close = getattr(self._result, "close", None)
            if close:
                close()
        finally:
            self._log.write(self._entry)


def _length(item):
    """The bytes that the server makes of one item of a body."""
    if isinstance(item, type(u"")):
        return len(item.encode("utf-8"))
    try:
        return len(item)
    except TypeError:
        return 0  # rejected later


def _field(value):
    """A value that ends neither its quotes nor its line; "-" for one that is missing or empty."""
    if value is None or value == "":
        return "-"
    return re.sub(r'[^\x20-\x7e]|["\\]', _escaped, str(value))


def _escaped(match):
    character = match.group()
    return "\\" + character if character in '"\\' else "\\x%02x" % ord(character)

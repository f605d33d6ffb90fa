"""What a test application tells the test that started it, beside its answers on the wire.

Owns: the record file (one JSON line a record, named by RECORDS) and how a Python value
is described in it. Does not own: what is reported; each application decides that.
Invariant: a record is one write to a file opened for appending, so records of forked children and
of threads do not mix, and nothing here blocks, however much is reported.

One source for Python 2.7 and 3: a native string is described by its type's name and its text, in
which a byte of Python 2 is one character.
"""
import json
import os
import socket
import sys

_records = os.open(os.environ["RECORDS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def report(kind, **fields):
    """Append one record."""
    fields["kind"] = kind
    os.write(_records, (json.dumps(fields) + "\n").encode("ascii"))


def text(value):
    """A string or bytes as text with one character a byte, fit for JSON."""
    return value.decode("latin-1") if isinstance(value, bytes) else value


def describe(value):
    """[type name, content] of a value as applications meet them in environ."""
    kind = type(value).__name__
    if isinstance(value, dict):
        return [kind, sorted([describe(key), describe(item)] for key, item in value.items())]
    if isinstance(value, (list, tuple)):
        return [kind, [describe(item) for item in value]]
    if isinstance(value, (bytes, type(u""))):
        return [kind, text(value)]
    if value is None or isinstance(value, (bool, float)):
        return [kind, repr(value)]
    if kind in ("int", "long"):
        return [kind, str(value)]
    if kind in ("buffer", "memoryview", "bytearray"):
        return [kind, text(bytes(value))]
    return [kind, None]


def listen(evwsgi, host="127.0.0.1", port="0"):
    """Start, and report where: [host, port], or the path of a unix socket."""
    evwsgi.start(host, port)
    address = host if port == "unix" else [host, bound_port(evwsgi.socket_fd(), ":" in host)]
    report("ready", address=address)


def bound_port(descriptor, is_ipv6):
    """The TCP port that a listening descriptor is bound to."""
    family = socket.AF_INET6 if is_ipv6 else socket.AF_INET
    listener = socket.fromfd(int(descriptor), family, socket.SOCK_STREAM)
    try:
        return listener.getsockname()[1]
    finally:
        listener.close()


def flush():
    """Put everything printed so far where the test can read it."""
    sys.stdout.flush()
    sys.stderr.flush()

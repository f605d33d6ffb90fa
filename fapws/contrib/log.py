"""A decorator that writes a line for each request, much like the combined log format.

Owns the line. Does not open or rotate files. Invariant: a request's line is one line, and neither a
missing header nor a log that cannot be written affects the response.
"""

import os
import re
import sys
import time

from fapws.contrib.dialect import is_standard

_TEXT = type(u"")


class Log(object):
    """Decorates an application: `@Log()`, or `Log(output=open("access.log", "a"))(application)`.

    output: what has `write` for native strings and `flush`.

    The line: client, host, "-", time, request, status, bytes, referer, user agent. It is written
    when the application returns. An iterator has not run by then: its size is "-", and its status
    what was set so far.
    """

    def __init__(self, output=sys.stdout):
        self.output = output

    def __call__(self, f):
        def func(environ, start_response):
            result = f(environ, start_response)
            line = _line(environ, getattr(start_response, "status_code", "-"), _size(result))
            try:
                self.output.write(line)
                self.output.flush()
            except (IOError, OSError, ValueError):
                # A full disk or a closed stream: the line is lost, the response is not.
                pass
            return result

        return func


def _line(environ, status, size):
    # A proxy sends the client's address. Anyone can, so a server that is reached directly logs
    # what the client likes to claim.
    client = environ.get("HTTP_X_FORWARDED_FOR") or environ.get("REMOTE_ADDR")
    if is_standard(environ):
        protocol = environ.get("SERVER_PROTOCOL")
    else:
        # COMPAT(fapws3): the scheme, which this dialect has in upper case, for the protocol.
        protocol = environ.get("wsgi.url_scheme")
    return '%s %s - [%s GMT] "%s %s %s" %s %s "%s" "%s"\n' % (
        _field(client),
        _field(environ.get("HTTP_HOST")),
        time.strftime("%d/%b/%Y:%H:%M:%S", time.gmtime()),
        _field(environ.get("REQUEST_METHOD")),
        _field(_target(environ)),
        _field(protocol),
        _field(status),
        size,
        _field(environ.get("HTTP_REFERER")),
        _field(environ.get("HTTP_USER_AGENT")),
    )


def _target(environ):
    """The request target as it came, or as near to it as another server's environ allows."""
    if "fapws.uri" in environ:
        return environ["fapws.uri"]
    target = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    query = environ.get("QUERY_STRING")
    return target + "?" + query if query else target


def _field(value):
    """A value that ends neither its quotes nor its line; "-" for one that is missing or empty."""
    if not value:
        return "-"
    return re.sub(r'[^\x20-\x7e]|["\\]', _escaped, str(value))


def _escaped(match):
    character = match.group()
    return "\\" + character if character in '"\\' else "\\x%02x" % ord(character)


def _size(result):
    """The bytes of the body, or "-" when they are known only once it is sent."""
    if isinstance(result, (list, tuple)):
        return sum(_item_size(item) for item in result)
    try:
        return os.fstat(result.fileno()).st_size - result.tell()
    except (AttributeError, IOError, OSError, ValueError):
        return "-"


def _item_size(item):
    """The bytes that the server makes of one item of a list."""
    if isinstance(item, _TEXT):
        return len(item.encode("utf-8"))
    try:
        return len(item)
    except TypeError:
        # Not sent.
        return 0

"""The base module: what the core uses when it serves a request.

A program hands this module, or one of its own with the same names, to `_evwsgi.set_base_module`.
The core looks up `Environ`, `Start_response`, `supported_HTTP_command`, `redirectStdErr`, `config`
and `sys` here at each request, so a program may change any of them at any time.

`Environ` and `Start_response` have `__fapws_native__ = True` in their own class body. The core
looks for it in the class's own `__dict__` and produces the effect of such a class natively. A
subclass or a replacement does not have it there, and is called method by method. So a change to one
of these two classes is a change to the core as well; tests hold both against each other.

Nothing here needs the extension module.
"""

import datetime
import sys
import time

from fapws import config

if sys.version_info[0] == 2:
    import httplib
    import string
    import traceback
    from Cookie import CookieError, SimpleCookie
    from cStringIO import StringIO as BytesIO
    from httplib import responses  # noqa: F401 (read as an attribute, below)
    from StringIO import StringIO
else:
    import importlib
    from io import BytesIO, StringIO

    _MODULES = {"httplib": "http.client", "string": "string", "traceback": "traceback"}

    def __getattr__(name):
        # The modules behind these names are half of a small server's memory, so they are imported
        # when a program first uses them (PEP 562).
        if name in ("CookieError", "SimpleCookie"):
            from http import cookies

            return getattr(cookies, name)
        if name == "responses":
            from http.client import responses

            return responses
        if name in _MODULES:
            return importlib.import_module(_MODULES[name])
        raise AttributeError("module %r has no attribute %r" % (__name__, name))


_core = sys.modules.get("fapws._evwsgi")
if _core is not None and not hasattr(_core, "stats"):
    # A `_evwsgi.so.original` that was renamed over our core: every request would be a 500.
    raise ImportError(
        "%s is the core of Fapws3 0.11, which does not work with these files; "
        "`python2.7 -m fapws.replace` in a clone of fapws puts the right one there" % _core.__file__
    )

# The modules among them are those that programs of the original got from here by `import *`.
__all__ = [
    "CookieError",
    "Environ",
    "SimpleCookie",
    "Start_response",
    "config",
    "datetime",
    "get_status",
    "httplib",
    "parse_cookies",
    "redirectStdErr",
    "split_len",
    "string",
    "supported_HTTP_command",
    "sys",
    "time",
    "traceback",
]

_TEXT = type(u"")

# The methods that the legacy dialect lets through; a program appends its own. The standard dialect
# passes any method to the application.
supported_HTTP_command = ["GET", "POST", "HEAD", "OPTIONS"]

# This module, for the names in it that are imported late.
_base = sys.modules[__name__]


class Environ(dict):
    """The environ of a request in the legacy dialect, at first the keys that all requests share.

    The constructor takes any arguments and ignores them. The core fills in the rest with the three
    methods, in the order in which they stand here; a subclass overrides one to see or change
    what comes in.
    """

    __fapws_native__ = True

    def __init__(self, *args, **kwargs):
        self["wsgi.version"] = (1, 0)
        self["wsgi.errors"] = StringIO()
        self["wsgi.input"] = BytesIO()
        self["wsgi.multithread"] = False
        self["wsgi.multiprocess"] = True
        self["wsgi.run_once"] = False
        self["fapws.params"] = {}

    def update_headers(self, data):
        """Take what the request's head gives: method, protocol, HTTP_ variables."""
        dict.update(self, data)

    def update_uri(self, data):
        """Take what the target gives once an application is found: SCRIPT_NAME, PATH_INFO, ..."""
        dict.update(self, data)

    def update_from_request(self, data):
        """Take what the connection gives: the client's address, the socket's descriptor."""
        dict.update(self, data)


class Start_response(object):
    """The `start_response` of one request, and the head of its response.

    status_code (str), status_reasons (str): the status line's two parts.
    response_headers (dict of str to str): one value a name; the last one given wins. Where several
        headers of one name must go out, the standard dialect's own start_response keeps them.
    exc_info: as given in the last call. A caller that replaces a head must look at `sent` first.
    cookies (SimpleCookie or None): sent as Set-Cookie lines after the headers.
    sent (bool): for programs of the original; False until somebody sets it.
    """

    __fapws_native__ = True

    def __init__(self):
        self.status_code = "200"
        self.status_reasons = "OK"
        self.response_headers = {}
        self.exc_info = None
        self.cookies = None
        self.sent = False

    def __call__(self, status, response_headers, exc_info=None):
        """Set the status ("404 Not Found") and add headers, a sequence of (name, value).

        Raises ValueError when a part would end its line: CR, LF or NUL outside a fold.
        """
        code, _, reasons = _line_part(status).partition(" ")
        # DIFFERS(fapws3): a status without a reason raised; RFC 9112 section 4 allows it.
        self.status_code = code
        self.status_reasons = reasons
        for key, val in response_headers:
            self.add_header(key, val)
        self.exc_info = exc_info

    def add_header(self, key, val):
        """Set the header `key`, in place of one with exactly that name. Both go through str()."""
        self.response_headers[_line_part(key)] = _line_part(val)

    def set_cookie(
        self,
        key,
        value="",
        max_age=None,
        expires=None,
        path="/",
        domain=None,
        secure=None,
    ):
        """Add a cookie. max_age is in seconds, 0 deletes.

        expires is a string, sent as it is, or a datetime, in local time if it has no time zone;
        anything else raises CookieError.
        """
        if self.cookies is None:
            self.cookies = _base.SimpleCookie()
        self.cookies[key] = value
        cookie = self.cookies[key]
        # DIFFERS(fapws3): the original dropped a max_age of 0.
        if max_age is not None:
            cookie["max-age"] = _line_part(max_age)
        if expires:
            cookie["expires"] = _cookie_date(expires)
        if path:
            cookie["path"] = _line_part(path)
        if domain:
            cookie["domain"] = _line_part(domain)
        if secure:
            cookie["secure"] = secure

    def delete_cookie(self, key):
        """Have the browser forget a cookie, by default one that was set for the path "/"."""
        # DIFFERS(fapws3): the original raised TypeError unless a cookie had been set before, and
        # sent no path, so that a browser kept a cookie that set_cookie had made.
        if self.cookies is None:
            self.cookies = _base.SimpleCookie()
        self.cookies[key] = ""
        self.cookies[key]["max-age"] = "0"
        if not self.cookies[key]["path"]:
            self.cookies[key]["path"] = "/"

    def __str__(self):
        """The head, with the empty line that ends it. Text on Python 3, to be sent as latin-1.

        Raises ValueError for a header, set past the methods, that would split the head.
        """
        lines = ["HTTP/1.0 %s %s" % (_line_part(self.status_code), _line_part(self.status_reasons))]
        for key, val in self.response_headers.items():
            lines.append("%s: %s" % (_line_part(key), _line_part(val)))
        if self.cookies:
            lines.append(str(self.cookies))
        return "\r\n".join(lines) + "\r\n\r\n"


def redirectStdErr():
    """Put a new text buffer in the place of sys.stderr.

    The core calls this before it prints an application's traceback, reads it back with
    `sys.stderr.getvalue()`, and restores the stream. A replacement must leave an object with
    `write` and `getvalue` there.
    """
    sys.stderr = StringIO()


def get_status(code):
    """The status line's text of a code: get_status(404) is "404 Not Found".

    Raises KeyError for a code that the standard library does not know.
    """
    return "%s %s" % (code, _base.responses[code])


def split_len(seq, length):
    """The consecutive parts of a sequence as a list, each `length` long but for the last."""
    return [seq[start : start + length] for start in range(0, len(seq), length)]


def parse_cookies(environ):
    """The request's cookies as a SimpleCookie, or None when it has no Cookie header."""
    header = environ.get("HTTP_COOKIE")
    if not header:
        return None
    cookies = _base.SimpleCookie()
    cookies.load(header)
    return cookies


def _line_part(value):
    """A value as native string for the head; ValueError when it would end its line."""
    # str() of bytes is their repr on Python 3, never what a header wants.
    if isinstance(value, bytes) and bytes is not str:
        text = value.decode("latin-1")
    else:
        text = str(value)
    # A line end within a header would let a value add headers of its own. A folded line, where a
    # blank follows, stays one header (RFC 9112 section 5.2).
    unfolded = text.replace("\r\n ", "").replace("\r\n\t", "")
    if "\r" in unfolded or "\n" in unfolded or "\0" in unfolded:
        raise ValueError("CR, LF or NUL in a header: %r" % text)
    return text


def _cookie_date(expires):
    """What stands after `expires=`, from a string or a datetime."""
    if isinstance(expires, (str, _TEXT)):
        return _line_part(expires)
    if not isinstance(expires, datetime.datetime):
        raise _base.CookieError("expires must be a datetime or a string, not %r" % (expires,))
    if expires.tzinfo is None:
        moment = time.gmtime(time.mktime(expires.timetuple()))
    else:
        moment = expires.utctimetuple()
    # Not time.strftime, whose names follow the locale.
    return "%s, %02d %s %04d %02d:%02d:%02d GMT" % (
        _DAYS[moment.tm_wday],
        moment.tm_mday,
        _MONTHS[moment.tm_mon - 1],
        moment.tm_year,
        moment.tm_hour,
        moment.tm_min,
        moment.tm_sec,
    )


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)

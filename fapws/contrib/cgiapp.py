"""An application that runs a CGI script (RFC 3875) for each request.

Owns the script's variables, its input and what its output means. The server waits while the script
runs, as it does for any application.

Invariant: requests share nothing. Each has its own variables, and its own temporary files in the
place of pipes: however much the script reads or writes, and whatever it leaves running behind it,
neither side waits for the other to empty a pipe.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from wsgiref.util import is_hop_by_hop

from fapws import config

if sys.version_info[0] == 2:
    from httplib import responses
else:
    from http.client import responses

# A longer head than this is none.
_HEAD_LIMIT = 65536
_HEADER = re.compile(br"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(.*?)[ \t]*$", re.DOTALL)
_STATUS_LINE = re.compile(br"HTTP/[0-9.]+[ \t]+([0-9]{3}.*)$")


def _close_on_exec():
    """Have each descriptor but the standard ones closed when the script takes over."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            try:
                fcntl.fcntl(int(name), fcntl.F_SETFD, fcntl.FD_CLOEXEC)
            except IOError:
                # The one that listed the folder.
                pass


# The listening socket and the clients' are none of the script's. Python 2's close_fds tries every
# number up to the limit, which takes longer than most scripts.
if sys.version_info[0] == 2 and os.path.isdir("/proc/self/fd"):
    _NOTHING_INHERITED = {"preexec_fn": _close_on_exec}
else:
    _NOTHING_INHERITED = {"close_fds": True}


class CGIApplication(object):
    """Runs `script`, an executable file, in its own directory.

    cgi_environ (dict): variables that the script gets for every request, besides those of RFC 3875.

    What the script writes to its standard error goes to the server's. ValueError is raised when its
    output does not begin with a head, OSError when it cannot be run; either becomes a 500. A
    relative Location is sent to the client; RFC 3875 section 6.2.2 would have the server follow it.
    """

    def __init__(self, script):
        self.script = script
        self.dirname = os.path.dirname(script)
        self.cgi_environ = {}

    def __call__(self, environ, start_response):
        script = os.path.abspath(self.script)
        with tempfile.TemporaryFile() as body:
            length = _copy_body(environ, body)
            variables = _variables(environ, script, length)
            variables.update(self.cgi_environ)
            output = tempfile.TemporaryFile()
            try:
                subprocess.Popen(
                    [script],
                    stdin=body,
                    stdout=output,
                    env=_encoded(variables),
                    cwd=os.path.dirname(script),
                    **_NOTHING_INHERITED
                ).wait()
                output.seek(0)
                status, headers, start = _parse_head(output.read(_HEAD_LIMIT))
                output.seek(0, os.SEEK_END)
                _add_length(status, headers, output.tell() - start)
                output.seek(start)
                start_response(status, headers)
            except BaseException:
                output.close()
                raise
        return output


def _copy_body(environ, target):
    """Copy the request's body to a file, rewind that, and return its length."""
    source = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        shutil.copyfileobj(source, target)
    else:
        # Another server's input may block at its end.
        target.write(source.read(int(environ.get("CONTENT_LENGTH") or 0)))
    length = target.tell()
    target.seek(0)
    return length


def _variables(environ, script, length):
    """The script's environment: what the request says, and what the server adds."""
    variables = {}
    for key, value in environ.items():
        # Names with a dot are the server's objects. "Proxy: ..." would become HTTP_PROXY, which
        # programs take for their own setting. A body's type and length have names of their own.
        if isinstance(value, str) and "." not in key and key not in _WITHHELD:
            variables[key] = value
    if length:
        variables["CONTENT_LENGTH"] = str(length)
    else:
        variables.pop("CONTENT_LENGTH", None)
    variables["GATEWAY_INTERFACE"] = "CGI/1.1"
    variables["PATH"] = os.environ.get("PATH", os.defpath)
    variables["REQUEST_URI"] = _request_uri(environ)
    variables["SCRIPT_FILENAME"] = script
    variables.setdefault("REMOTE_HOST", variables.get("REMOTE_ADDR", ""))
    variables["SERVER_SOFTWARE"] = config.SERVER_IDENT or ""
    return variables


_WITHHELD = ("HTTP_PROXY", "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH")


def _request_uri(environ):
    if "fapws.uri" in environ:
        return environ["fapws.uri"]
    uri = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return uri + "?" + environ["QUERY_STRING"] if environ.get("QUERY_STRING") else uri


def _encoded(variables):
    """The variables as the bytes that stood in the request, without those no program can get."""
    encoded = {}
    for key, value in variables.items():
        if "\0" in value:
            continue
        if sys.version_info[0] > 2:
            key, value = _bytes(key), _bytes(value)
        encoded[key] = value
    return encoded


def _bytes(text):
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        # Not from the request: a path, or a variable of the program's own.
        return os.fsencode(text)


def _parse_head(data):
    """Status, headers and the body's offset, from the start of a script's output.

    Lines end in LF or CRLF. COMPAT(fapws3): the first may be a status line of HTTP. Raises
    ValueError when the output does not begin with a head.
    """
    status = None
    headers = []
    start = 0
    while True:
        end = data.find(b"\n", start)
        if end < 0:
            raise ValueError("the output of a CGI script ends within its head: %r" % data[:80])
        line = data[start:end].rstrip(b"\r")
        status_line = _STATUS_LINE.match(line) if start == 0 else None
        header = _HEADER.match(line)
        start = end + 1
        if status_line:
            status = _native(status_line.group(1))
        elif header:
            name, value = _native(header.group(1)), _native(header.group(2))
            if name.lower() == "status":
                status = value
            # The connection is the server's (RFC 3875 section 6.3.4).
            elif not is_hop_by_hop(name):
                headers.append((name, value))
        elif line:
            raise ValueError("no header line of a CGI script: %r" % line[:80])
        else:
            break
    if status is None:
        located = any(name.lower() == "location" for name, _ in headers)
        status = "302 Found" if located else "200 OK"
    elif status.isdigit():
        # RFC 3875 lets a script leave out the reason, PEP 3333 does not.
        status += " " + responses.get(int(status), "Unknown")
    return status, headers, start


def _add_length(status, headers, length):
    """Add Content-Length where the script gave none and the response may have one."""
    given = any(name.lower() == "content-length" for name, _ in headers)
    if not given and status[:3] not in ("204", "304"):
        headers.append(("Content-Length", str(length)))


def _native(data):
    return data if str is bytes else data.decode("latin-1")

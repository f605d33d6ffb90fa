"""What a request looks like to an application: its environ and its body.

Each route answers with what it saw, so that the test compares it with what it sent.
"""
import hashlib
import io
import json
import os

try:
    from urllib.parse import parse_qs
except ImportError:  # Python 2.7
    from urlparse import parse_qs

from journal import record


def reply(start_response, body, headers=()):
    start_response("200 OK", [("Content-Type", "text/plain")] + list(headers))
    return [body]


def query(environ):
    """The query's parameters; of a repeated one the first."""
    return {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}


def plain(value):
    """A value as JSON can say it exactly: native strings of Python 2 as the bytes they are."""
    if str is bytes and isinstance(value, str):
        return value.decode("latin-1")
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    return repr(value)


def describe(value):
    """A value as the name of its type and its plain form."""
    return [type(value).__name__, plain(value)]


def show_environ(environ, start_response):
    """`/environ...`: every key with its value's type and value, and what environ itself is."""
    seen = {
        "type": "dict" if type(environ) is dict else repr(type(environ)),
        "keys_native": all(type(key) is str for key in environ),
        "values": {plain(key): describe(value) for key, value in environ.items()},
    }
    # A change of one request's environ must not be seen by the next one.
    environ["probe.mark"] = "left behind"
    environ["wsgi.version"] = None
    record(query(environ).get("name"), "called")
    return reply(start_response, json.dumps(seen).encode("utf-8"))


def pieces_of(body, how):
    """The body as a list of pieces, read the way `how` says: a method and its arguments."""
    method, _, argument = how.partition(":")
    if method == "read" and not argument:
        return [body.read()]
    if method == "read":
        return list(iter(lambda: body.read(int(argument)), b""))
    if method == "readline" and not argument:
        return list(iter(body.readline, b""))
    if method == "readline":
        return list(iter(lambda: body.readline(int(argument)), b""))
    if method == "readlines" and not argument:
        return body.readlines()
    if method == "readlines":
        return body.readlines(int(argument))
    if method == "iterate":
        return list(body)
    if method == "wrapped":
        return [line.encode("latin-1") for line in io.TextIOWrapper(body, "latin-1", newline="\n")]
    if method == "mixed":
        return [body.readline(), body.read(3), body.readline(5), next(iter(body), b""), body.read()]
    raise ValueError(how)


def echo(environ, start_response):
    """`/echo?how=METHOD[:ARGUMENT]`: the body back, `X-Sizes` the sizes of the pieces read.

    `X-After` is what the four methods give once the body was read to its end.
    """
    asked = query(environ)
    record(asked.get("name"), "called")
    body = environ["wsgi.input"]
    pieces = pieces_of(body, asked.get("how", "read"))
    digest = hashlib.sha1(json.dumps([len(piece) for piece in pieces]).encode("ascii"))
    headers = [
        ("X-Pieces", "%d" % len(pieces)),
        ("X-Sizes-Digest", digest.hexdigest()),
        ("X-Types", ",".join(sorted({type(piece).__name__ for piece in pieces}))),
    ]
    if not asked.get("how", "").startswith("readlines:"):
        after = [body.read(), body.read(10), body.readline(), b"".join(body.readlines()),
                 b"".join(body)]
        headers.append(("X-After", "empty" if after == [b""] * 5 else repr(after)))
    return reply(start_response, b"".join(pieces), headers)


def oddities(environ, start_response):
    """`/oddities`: the calls of wsgi.input whose answer one does not guess, as JSON."""
    body = environ["wsgi.input"]
    answers = [body.read(0), body.readline(0), body.readline(-1), body.read(2), body.read(-1),
               body.read(-1), body.read(0), body.readline(), body.readlines()]
    text = json.dumps(answers, default=lambda piece: piece.decode("latin-1"))
    return reply(start_response, text.encode("utf-8"))


def digest(environ, start_response):
    """`/digest`: length and SHA-1 of the body, read in pieces of 64 KiB."""
    sha1, length = hashlib.sha1(), 0
    for piece in iter(lambda: environ["wsgi.input"].read(65536), b""):
        sha1.update(piece)
        length += len(piece)
    return reply(start_response, ("%d %s" % (length, sha1.hexdigest())).encode("ascii"))


def files(environ, start_response):
    """`/files`: how many files without a name the process has open while it is answered."""
    links = []
    for number in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink("/proc/self/fd/" + number))
        except OSError:  # the listing's own
            pass
    nameless = [link for link in links if link.endswith(" (deleted)")]
    return reply(start_response, str(len(nameless)).encode("ascii"))


def ignore(environ, start_response):
    """`/ignore?name=NAME`: the body is not touched."""
    record(query(environ).get("name"), "called")
    return reply(start_response, b"ignored")


HOSTS = []


def same_host(environ, start_response):
    """`/same-host`: whether the value of Host is the very object that it was the last time."""
    host = environ["HTTP_HOST"]
    same = HOSTS[-1:] and HOSTS[-1] is host
    HOSTS[:] = [host]
    return reply(start_response, b"yes" if same else b"no")


ROUTES = {
    "/environ": show_environ,
    "/same-host": same_host,
    "/echo": echo,
    "/oddities": oddities,
    "/digest": digest,
    "/files": files,
    "/ignore": ignore,
}

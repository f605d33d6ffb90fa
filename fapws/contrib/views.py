"""An application that serves the files below one directory.

Owns the way from PATH_INFO to an open file and the headers that go with it. Does not send: the open
file is returned, and the server sends it (by sendfile where it can) and closes it.

Invariant: what is opened is a regular file whose real path, with every symbolic link followed, lies
below the real path of the root.
"""

from __future__ import print_function

import mimetypes
import os
import re
import stat
import sys
from email.utils import formatdate, mktime_tz, parsedate_tz

from fapws.contrib.dialect import is_standard

_BLOCK = 65536


class Staticfile(object):
    """Serves the file `rootpath + PATH_INFO`; "" is the current directory.

    The two are put together as they are, so a root that ends in "/" goes with a URI that does:

        evwsgi.wsgi_cb(("/static/", Staticfile("/srv/static/")))

    A rootpath that is no directory is the beginning of file names, or the one file to serve.
    maxage (seconds or None): how long a client may cache a file.
    """

    def __init__(self, rootpath="", maxage=None):
        self.rootpath = rootpath
        self.maxage = maxage

    def __call__(self, environ, start_response):
        path = _file_path(self.rootpath or "./", self._behind_root(environ))
        served = path and _open_below(_directory(self.rootpath), path)
        if not served:
            _report_missing(self.rootpath + environ["PATH_INFO"])
            start_response("404 File not found", [])
            return []
        if is_standard(environ):
            return self._standard(environ, start_response, served, _content_type(path))
        return self._legacy(environ, start_response, served, _content_type(path))

    def _behind_root(self, environ):
        """What stands behind the root in a file's name."""
        path_info = environ["PATH_INFO"]
        # In the standard dialect the URI "/" is the empty SCRIPT_NAME, and its slash begins
        # PATH_INFO. A root that is a file, or the beginning of file names, has none behind it.
        if is_standard(environ) and not environ["SCRIPT_NAME"] and path_info[:1] == "/":
            if not os.path.isdir(self.rootpath or "."):
                return path_info[1:]
        return path_info

    def _legacy(self, environ, start_response, served, content_type):
        # COMPAT(fapws3): the entity tag is not quoted, and a 304 has no headers.
        tag = _legacy_tag(os.fstat(served.fileno()).st_mtime)
        if _tag_listed(environ.get("HTTP_IF_NONE_MATCH", ""), tag):
            served.close()
            start_response("304 Not Modified", [])
            return []
        headers = self._cache_headers()
        headers.append(("Content-Type", content_type))
        headers.append(("ETag", tag))
        headers.append(("Content-Length", str(os.fstat(served.fileno()).st_size)))
        start_response("200 OK", headers)
        return served

    def _standard(self, environ, start_response, served, content_type):
        method = environ["REQUEST_METHOD"]
        if method not in ("GET", "HEAD"):
            served.close()
            start_response("405 Method Not Allowed", [("Allow", "GET, HEAD")])
            return []
        status = os.fstat(served.fileno())
        # The time goes in with its fraction: two versions within one second differ.
        tag = '"%x-%x"' % (int(status.st_mtime * 1000000), status.st_size)
        headers = self._cache_headers()
        headers.append(("ETag", tag))
        headers.append(("Last-Modified", formatdate(int(status.st_mtime), usegmt=True)))
        if _not_modified(environ, tag, status.st_mtime):
            served.close()
            start_response("304 Not Modified", headers)
            return []

        headers.append(("Accept-Ranges", "bytes"))
        wanted = None
        # RFC 9110 section 14.2: a server must ignore Range for any other method.
        if method == "GET" and _range_applies(environ, tag, status.st_mtime):
            wanted = _parse_range(environ.get("HTTP_RANGE", ""), status.st_size)
        if wanted == (0, 0):
            served.close()
            headers.append(("Content-Range", "bytes */%d" % status.st_size))
            start_response("416 Range Not Satisfiable", headers)
            return []
        first, end = wanted or (0, status.st_size)
        headers.append(("Content-Type", content_type))
        headers.append(("Content-Length", str(end - first)))
        if wanted:
            headers.append(("Content-Range", "bytes %d-%d/%d" % (first, end - 1, status.st_size)))
            start_response("206 Partial Content", headers)
        else:
            start_response("200 OK", headers)
        if method == "HEAD":
            served.close()
            return []
        served.seek(first)
        return served if end == status.st_size else FilePart(served, end - first)

    def _cache_headers(self):
        # DIFFERS(fapws3): the original added the time of day to maxage, so that clients kept files
        # for half a century. The directive takes seconds from now (RFC 9111 section 5.2.2.1).
        return [("Cache-control", "max-age=%d" % self.maxage)] if self.maxage else []


class FilePart(object):
    """An iterator over the next `size` bytes of a binary file, which it closes.

    Not a file to the server, which would send one to its end.
    """

    def __init__(self, source, size):
        self._source = source
        self._left = size

    def __iter__(self):
        return self

    def __next__(self):
        block = self._source.read(min(_BLOCK, self._left))
        if not block:
            raise StopIteration
        self._left -= len(block)
        return block

    next = __next__

    def close(self):
        """Close the file."""
        self._source.close()


def _directory(rootpath):
    """The directory that no file may lie outside of."""
    if os.path.isdir(rootpath or "."):
        return rootpath or "."
    return os.path.dirname(rootpath) or "."


def _file_path(root, path_info):
    """The file's path in the file system's own spelling, or None for one that no client means."""
    # A client resolves dots before it sends (RFC 3986 section 5.2.4). Dots that were encoded
    # are dots by now, those encoded twice still are not, and are never decoded again.
    segments = path_info.split("/")
    if "\0" in path_info or "." in segments or ".." in segments:
        return None
    if sys.version_info[0] == 2:
        return root + path_info
    try:
        # PEP 3333: each character of PATH_INFO stands for one byte of the path.
        return root + os.fsdecode(path_info.encode("latin-1"))
    except UnicodeEncodeError:
        return None


def _open_below(directory, path):
    """The regular file at `path`, open for reading, or None when there is none in `directory`."""
    if path.endswith("/"):
        return None
    top = os.path.join(os.path.realpath(directory), "")
    real = os.path.realpath(path)
    try:
        # Checked before the open, which on a named pipe would wait for a writer.
        if not real.startswith(top) or not stat.S_ISREG(os.stat(real).st_mode):
            return None
        return open(real, "rb")
    except (IOError, OSError):
        return None


def _content_type(path):
    # DIFFERS(fapws3): the original sent the word None for a name without a known type.
    return mimetypes.guess_type(path)[0] or "application/octet-stream"


def _legacy_tag(mtime):
    """The modification time with 12 digits, which is how Python 2 writes a float."""
    tag = "%.12g" % mtime
    return tag if "." in tag else tag + ".0"


def _tag_listed(header, tag):
    """Whether an If-None-Match value names the tag; weak comparison, RFC 9110 section 8.8.3.2."""
    for listed in header.split(","):
        listed = listed.strip()
        if listed.startswith("W/"):
            listed = listed[2:]
        if listed in (tag, "*"):
            return True
    return False


def _not_modified(environ, tag, mtime):
    """Whether the client's copy is current; If-None-Match wins, RFC 9110 section 13.2.2."""
    if "HTTP_IF_NONE_MATCH" in environ:
        return _tag_listed(environ["HTTP_IF_NONE_MATCH"], tag)
    since = _parse_date(environ.get("HTTP_IF_MODIFIED_SINCE"))
    return since is not None and int(mtime) <= since


def _range_applies(environ, tag, mtime):
    """Whether If-Range, if there is one, says that the client has the start of this very file."""
    condition = environ.get("HTTP_IF_RANGE")
    if condition is None or condition == tag:
        return True
    return _parse_date(condition) == int(mtime)


def _parse_date(header):
    """An HTTP date as seconds since the epoch, or None."""
    try:
        return mktime_tz(parsedate_tz(header))
    except (AttributeError, IndexError, OverflowError, TypeError, ValueError):
        return None


def _parse_range(header, size):
    """The bytes that a Range header names as (first, end), end not included.

    None when the header is to be ignored: another unit, several ranges (RFC 9110 section 14.2 lets
    a server ignore those) or no range at all. (0, 0) when it lies outside the file.
    """
    match = re.match(r"(?i)bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*$", header)
    if not match or not (match.group(1) or match.group(2)):
        return None
    first, last = match.groups()
    if not first:
        wanted = (max(0, size - int(last)), size)
    elif last and int(last) < int(first):
        return None
    else:
        wanted = (int(first), min(int(last or size), size - 1) + 1)
    return wanted if wanted[0] < wanted[1] else (0, 0)


def _report_missing(path):
    line = re.sub(r"[^\x20-\x7e]", "?", path)
    try:
        print("ERROR in Staticfile: file %s not existing" % line)
    except (IOError, OSError, ValueError):
        # A stdout that is closed or broken loses the line; the client still gets its 404.
        pass

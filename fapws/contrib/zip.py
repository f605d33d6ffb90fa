"""A decorator that compresses what an application returns when the client accepts gzip.

Owns the choice to compress, the compression and the headers that say so. Does not choose by
content: what should go out as it is sets its own Content-Encoding.

Invariant: the body and the head say the same. So the choice is made once, where the application's
head is complete, and the whole body goes through the one compressor chosen then.
"""

import re
import zlib

from fapws.contrib.dialect import is_standard

_TEXT = type(u"")
_BLOCK = 65536
# A file up to this size is compressed in memory, so that a Content-Length can go with it.
_SMALL_FILE = 1 << 20
_LEVEL = 6
# zlib's number for its largest window in a gzip wrapper.
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class Gzip(object):
    """Decorates an application that returns a list, a tuple, a string, a file or an iterator.

    Lists and small files get a Content-Length. Iterators and large files are compressed as they are
    sent; an iterator's item reaches the client before the next is drawn. `Vary` is set whenever
    another client could get the other form.
    """

    def __call__(self, f):
        def func(environ, start_response):
            head = _Head(environ, start_response)
            result = f(environ, head)
            if result is None:
                return result
            if isinstance(result, (bytes, _TEXT, bytearray, memoryview)):
                result = [result]
            if head.standard and environ["REQUEST_METHOD"] == "HEAD":
                # RFC 9110 section 8.6: no length rather than another than GET's.
                return _Stream(head, iter(result), result, flush=True)
            if isinstance(result, (list, tuple)):
                return _whole(head, result)
            if hasattr(result, "read"):
                return _file(head, result)
            return _Stream(head, iter(result), result, flush=True)

        return func


class _Head(object):
    """Stands for start_response towards the application, and passes on every call and attribute.

    compressor: what the body goes through, or None while it goes out as it is.

    standard: in the standard dialect the choice is made when the application calls, as the head may
    be sent from then on; in the legacy one when `decide` is called, as the head is rendered last.
    """

    _OWN = ("_accepted", "_decided", "_inner", "compressor", "standard")

    def __init__(self, environ, inner):
        self._accepted = _accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", ""))
        self._decided = False
        self._inner = inner
        self.compressor = None
        self.standard = is_standard(environ)

    def __call__(self, status, headers, exc_info=None):
        if self.standard:
            headers = self._rewritten(status, list(headers))
        arguments = (status, headers) if exc_info is None else (status, headers, exc_info)
        write = self._inner(*arguments)
        compressor = self.compressor
        if write is None or compressor is None:
            return write
        return lambda data: write(compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def __setattr__(self, name, value):
        if name in self._OWN:
            object.__setattr__(self, name, value)
        else:
            setattr(self._inner, name, value)

    def decide(self):
        """Settle the choice, unless the application's call did, by what the head holds now."""
        if self._decided:
            return
        held = self._inner.response_headers
        headers = self._rewritten(self._inner.status_code, list(held.items()))
        held.clear()
        held.update(headers)

    def announce(self, length):
        """Set the length of a compressed body; a server of the standard dialect counts itself."""
        if not self.standard:
            self._inner.add_header("Content-Length", str(length))

    def _rewritten(self, status, headers):
        self._decided = True
        # A 206 holds a part of the uncompressed file; 1xx, 204 and 304 have no body.
        names = [name.lower() for name, _ in headers]
        if status[:1] == "1" or status[:3] in ("204", "206", "304") or "content-encoding" in names:
            return headers
        headers = _with_vary(headers)
        if not self._accepted:
            return headers
        self.compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
        headers = [_compressed_header(*header) for header in headers]
        headers = [header for header in headers if header[0].lower() != "content-length"]
        return headers + [("Content-Encoding", "gzip")]


class _Stream(object):
    """An iterator over compressed blocks.

    flush: whether each block must reach the client at once. closes: whose `close` is called in the
    end, if it has one.
    """

    def __init__(self, head, blocks, closes, flush):
        self._head = head
        self._blocks = blocks
        self._flush = flush
        self._ended = False
        self.close = getattr(closes, "close", _nothing)

    def __iter__(self):
        return self

    def __next__(self):
        # A generator runs, and calls start_response, only when its first item is drawn.
        block = next(self._blocks, None)
        self._head.decide()
        compressor = self._head.compressor
        if compressor is None:
            if block is None:
                raise StopIteration
            return block
        if block is not None:
            block = _to_bytes(block)
            # The compressor would begin its output even so, and the head could not change any more.
            data = compressor.compress(block) if block else b""
            return data + compressor.flush(zlib.Z_SYNC_FLUSH) if self._flush and block else data
        if self._ended:
            raise StopIteration
        self._ended = True
        return compressor.flush()

    next = __next__


def _whole(head, items):
    """A list or tuple, compressed into a list of one item."""
    head.decide()
    if head.compressor is None:
        return items
    body = head.compressor.compress(b"".join(_to_bytes(item) for item in items))
    body += head.compressor.flush()
    head.announce(len(body))
    return [body]


def _file(head, source):
    """A file, compressed at once when it is small; itself when it is to go as it is."""
    head.decide()
    if head.compressor is None:
        return source
    start = source.read(_SMALL_FILE)
    if len(start) < _SMALL_FILE:
        if hasattr(source, "close"):
            source.close()
        return _whole(head, [start])
    return _Stream(head, _file_blocks(start, source), source, flush=False)


def _file_blocks(start, source):
    while start:
        yield start
        start = source.read(_BLOCK)


def _to_bytes(item):
    """An item as the server would send it: text as UTF-8; what is no string is left out."""
    if isinstance(item, _TEXT):
        return item.encode("utf-8")
    try:
        return bytes(memoryview(item).tobytes())
    except TypeError:
        return b""


def _accepts_gzip(header):
    """Whether an Accept-Encoding value takes gzip: named, and not with a weight of 0."""
    for element in header.split(","):
        coding, _, weight = element.partition(";")
        if coding.strip().lower() in ("gzip", "x-gzip"):
            return not re.match(r"\s*q\s*=\s*0(\.0*)?\s*$", weight)
    return False


def _with_vary(headers):
    """The headers with Accept-Encoding named in Vary (RFC 9110 section 12.5.5)."""
    result = []
    merged = False
    for name, value in headers:
        if name.lower() == "vary" and not merged:
            merged = True
            named = [field.strip().lower() for field in value.split(",")]
            if "*" not in named and "accept-encoding" not in named:
                value += ", Accept-Encoding"
        result.append((name, value))
    return result if merged else result + [("Vary", "Accept-Encoding")]


def _compressed_header(name, value):
    # RFC 9110 section 8.8.3.3: another coding is another representation, so a strong entity tag
    # would be wrong; a weak one still matches If-None-Match.
    if name.lower() == "etag" and str(value).startswith('"'):
        return name, "W/" + str(value)
    return name, value


def _nothing():
    pass

"""A request body that parses `multipart/form-data` (RFC 7578) while it is written to it.

Put it in the place of `wsgi.input`, and the application finds the form's fields in `.results` and
the files on disk:

    class Environ(base.Environ):
        def __init__(self, *args, **kwargs):
            base.Environ.__init__(self, *args, **kwargs)
            self["wsgi.input"] = multipart.MultipartFormData("/srv/uploads/")

    base.Environ = Environ

Owns the format and the choice of a file's path. The body may arrive in any pieces. Invariants:
every byte is looked at a bounded number of times; a file's content is kept to the byte, and is in
memory only a window at a time; no file lies outside the base path.
"""

import errno
import os
import re

# Bytes looked at together: few calls for each of them, and yet in the processor's cache.
_WINDOW = 1 << 17
# RFC 2046 section 5.1.1 allows 70 bytes; some clients need more.
_MAX_BOUNDARY = 256
_MAX_PART_HEAD = 16384
# Most file systems take 255 bytes; the rest is for versions.
_MAX_FILE_NAME = 200

# What makes the boundary a delimiter: the mark of the last one, or the line's end. And what may
# still become one of these.
_DELIMITER_END = re.compile(br"(--)|[ \t]{0,255}\r\n")
_DELIMITER_OPEN = re.compile(br"-?\Z|[ \t]{0,255}\r?\Z")

# A parameter of a header: its name, and its value with or without quotes. A backslash escapes a
# quote alone: some browsers send whole Windows paths.
_PARAMETER = re.compile(br';[ \t]*([^=;\s]+)[ \t]*=[ \t]*(?:"((?:\\"|[^"])*)"|([^;]*))')


class Storage(object):
    """Where the content of files goes; this one drops it.

    fpath: the path of the file that is being stored, or None. The parser calls `open`, then `write`
    for each piece, then `close`, and takes the value of `fpath` after `open` for the result.
    """

    def __init__(self):
        self.fpath = None

    def open(self, attr):
        """Begin a file at the path `attr`."""

    def write(self, data):
        """Add bytes to the file."""

    def close(self):
        """End the file."""
        self.fpath = None


class DiskStorage(Storage):
    """Stores a file at its path, in place of one that is there."""

    def __init__(self):
        Storage.__init__(self)
        self.fid = None

    def open(self, fpath):
        """Create the file; a symbolic link in its place is not followed."""
        _require_path(fpath)
        self.fid = _open_file(fpath, os.O_TRUNC)
        self.fpath = fpath

    def write(self, data):
        """Add bytes to the file; ValueError when none is open."""
        if self.fid is None:
            raise ValueError("First open before writing")
        self.fid.write(data)

    def close(self):
        """End the file. Does nothing when none is open."""
        self.fpath = None
        if self.fid is not None:
            self.fid.close()
            self.fid = None


class DiskVersioning(DiskStorage):
    """Stores a file at its path or, if that is taken, as NAME_1.EXT, NAME_2.EXT and so on."""

    def __init__(self):
        DiskStorage.__init__(self)
        # The last path made of each wanted path: a form with a thousand files of one name does
        # not try each version a thousand times.
        self._latest = {}

    def open(self, fpath):
        """Create a file that was not there; `self.fpath` is its path."""
        _require_path(fpath)
        wanted, fpath = fpath, self._latest.get(fpath, fpath)
        while True:
            try:
                # Asking first whether the name is free would leave time for another to take it.
                self.fid = _open_file(fpath, os.O_EXCL)
                break
            except (IOError, OSError) as error:
                if error.errno != errno.EEXIST:
                    raise
            fpath = _next_version(fpath)
        self.fpath = self._latest[wanted] = fpath


class GitStorage(Storage):
    """A name that the original has for what was still to be written."""


class DBstorage(Storage):
    """Another one."""


class MultipartFormData(object):
    """The parser, as far as a file object as the server needs: `write` and `seek`.

    basepath: the directory for files. results: see `getvalue`. boundary: the line that separates
    parts, learnt from the body's first, None until then. filerepository: a Storage. Set your own
    attributes before the first `write`; the limits below are the class's, and ValueError is raised
    past them.
    """

    #: Bytes of all fields that are no files, names and attributes included: these stay in memory.
    max_memory = 8 << 20
    #: Parts of a form, files included.
    max_parts = 1000

    def __init__(self, basepath="./"):
        self.basepath = basepath
        self.results = {}
        self.boundary = None
        self.filerepository = DiskVersioning()
        self._delimiter = b""
        # The bytes from _at on are not taken yet; up to _scanned there is no end of a head.
        self._buffer = b""
        self._at = 0
        self._scanned = 0
        self._step = self._find_boundary
        self._part = None
        self._parts = 0
        self._memory = 0

    def write(self, data):
        """Take the next bytes of the body: any object with the buffer interface."""
        view = memoryview(data)
        for start in range(0, len(view), _WINDOW):
            self._buffer = self._buffer[self._at :] + view[start : start + _WINDOW].tobytes()
            self._at = 0
            # A step takes what it can from the buffer, and returns whether the next can go on.
            while self._step():
                pass

    def seek(self, position):
        """Do nothing; the server rewinds its input before the application is called."""

    def getvalue(self):
        """The results: a dict of each field's name to the list of what came under it.

        A value is a native string (latin-1 on Python 3, as PEP 3333 has it); a file's is the path
        where it is stored. A value is followed by a dict when the part has more: its
        other headers and parameters, and a file's "size" in bytes.
        """
        return self.results

    def get(self, key):
        """The list of a field's values, or None."""
        return self.results.get(key)

    def keys(self):
        """The names of the fields."""
        return self.results.keys()

    # The steps. Those after the first find the CRLF before them still in the buffer: it begins
    # the empty line of a part without headers, and the delimiter after a part without content.

    def _find_boundary(self):
        end = self._buffer.find(b"\r\n", self._at)
        if end < 0:
            # RFC 2046 section 5.1.1: what stands before the first boundary is to be ignored. Of a
            # line too long to be one, only a CR at its end still matters.
            if len(self._buffer) - self._at > _MAX_BOUNDARY:
                self._buffer, self._at = b" " + self._buffer[-1:], 0
            return False
        line = self._buffer[self._at : end].rstrip(b" \t")
        if line.startswith(b"--") and 2 < len(line) <= _MAX_BOUNDARY:
            self.boundary = _native(line)
            self._delimiter = b"\r\n" + line
            self._at = end
            self._step = self._take_head
        else:
            self._at = end + 2
        return True

    def _take_head(self):
        end = self._buffer.find(b"\r\n\r\n", self._at + self._scanned)
        if max(end - self._at, self._scanned) > _MAX_PART_HEAD:
            raise ValueError("the head of a part of the form is longer than %d" % _MAX_PART_HEAD)
        if end < 0:
            self._scanned = max(0, len(self._buffer) - self._at - 3)
            return False
        head = self._buffer[self._at + 2 : end]
        self._at = end + 2
        self._scanned = 0
        self._begin_part(head)
        self._step = self._take_content
        return True

    def _take_content(self):
        after = self._at
        while True:
            position = self._buffer.find(self._delimiter, after)
            if position < 0:
                # A delimiter may have begun in the last bytes.
                self._emit(max(after, len(self._buffer) - len(self._delimiter) + 1))
                return False
            after = position + len(self._delimiter)
            ended = _DELIMITER_END.match(self._buffer, after)
            if ended:
                self._emit(position)
                self._end_part()
                self._at = ended.end() - 2
                self._step = self._ignore if ended.group(1) else self._take_head
                return True
            if _DELIMITER_OPEN.match(self._buffer, after):
                self._emit(position)
                return False

    def _ignore(self):
        self._at = len(self._buffer)
        return False

    def _begin_part(self, head):
        self._parts += 1
        if self._parts > self.max_parts:
            raise ValueError("the form has more than %d parts" % self.max_parts)
        self._remember(len(head))
        self._part = _Part(head)
        if self._part.is_file:
            self.filerepository.open(self._path_of(self._part.filename))
            self._part.path = self.filerepository.fpath

    def _emit(self, end):
        """Take the content up to the buffer's offset `end`, without the CRLF before it all."""
        part = self._part
        skipped = min(part.to_skip, end - self._at)
        content = self._buffer[self._at + skipped : end]
        part.to_skip -= skipped
        part.size += len(content)
        self._at = end
        if not content:
            return
        if part.is_file:
            self.filerepository.write(content)
        elif part.name is not None:
            self._remember(len(content))
            part.content += content

    def _end_part(self):
        part, self._part = self._part, None
        if part.is_file:
            self.filerepository.close()
            part.attributes["size"] = part.size
        if part.name is not None:
            values = self.results.setdefault(part.name, [])
            values.append(part.path if part.is_file else _native(bytes(part.content)))
            if part.attributes:
                values.append(part.attributes)

    def _remember(self, length):
        self._memory += length
        if self._memory > self.max_memory:
            raise ValueError("the form's fields are longer than %d" % self.max_memory)

    def _path_of(self, filename):
        """The path for a file that the client names so: the last component counts."""
        name = re.split(br"[/\\]", filename)[-1]
        name = re.sub(br"[\x00-\x1f\x7f]", b"_", name)[-_MAX_FILE_NAME:]
        if name in (b"", b".", b".."):
            name = b"unnamed"
        # The operating system's spelling, so that open() finds it.
        return os.path.join(self.basepath, name if str is bytes else os.fsdecode(name))


class _Part(object):
    """One part of the form: what its head says, and its content so far."""

    def __init__(self, head):
        self.name = None
        self.filename = b""
        self.attributes = {}
        self.path = None
        self.content = bytearray()
        self.size = 0
        # The CRLF of the empty line before the content.
        self.to_skip = 2
        for line in head.split(b"\r\n"):
            key, _, value = line.partition(b":")
            key, value = key.strip(), value.strip()
            if key.lower() == b"content-disposition" and value[:9].lower() == b"form-data":
                self._read_disposition(value)
            elif key:
                self.attributes[_native(key)] = _native(value)

    @property
    def is_file(self):
        """Whether the content goes to the storage. A browser sends an empty name for no file."""
        return self.name is not None and bool(self.filename)

    def _read_disposition(self, header):
        for key, quoted, bare in _PARAMETER.findall(header):
            value = quoted.replace(b'\\"', b'"') or bare.strip()
            if key.lower() == b"name":
                self.name = _native(value)
            elif key.lower() == b"filename":
                self.filename = value
            else:
                self.attributes[_native(key)] = _native(value)


def _require_path(fpath):
    if not fpath:
        raise ValueError("fpath is not declared")


def _open_file(path, flag):
    """Create a file for writing; an error where a symbolic link stands in its place."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | getattr(os, "O_CLOEXEC", 0) | flag
    return os.fdopen(os.open(path, flags, 0o666), "wb")


def _next_version(path):
    folder, name = os.path.split(path)
    root, extension = os.path.splitext(name)
    numbered = re.match(r"(.*)_([0-9]{1,9})$", root, re.DOTALL)
    if numbered:
        root = numbered.group(1)
    version = int(numbered.group(2)) + 1 if numbered else 1
    return os.path.join(folder, "%s_%d%s" % (root, version, extension))


def _native(data):
    return data if str is bytes else data.decode("latin-1")

"""Every shape of answer an application may give, by name: what `/answer/NAME` runs.

Owns: one small callable for each row of "what a callback may return", for each way to misuse
`start_response` and for each way to fail. Does not own: their registration (reporter.py) nor
what the client should see (the tests).
Invariant: an answer depends on nothing but its name, so two servers can be asked the same.
"""
import array
import io
import os
import sys
import tempfile

from channel import describe, report

PYTHON_2 = sys.version_info[0] == 2
ANSWERS = {}
LONG_TEXT = b"".join(b"line %05d of a text longer than one write\n" % n for n in range(5000))


def answer(function):
    """Register a callable (environ, start_response) under its own name."""
    ANSWERS[function.__name__] = function
    return function


def returns(name, make):
    """Register an answer that says 200 and returns what make() makes."""
    def call(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return make()
    call.__name__ = name
    ANSWERS[name] = call


def raises(name, make):
    """Register an answer that says 200 and then raises what make() makes."""
    def call(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        raise make()
    call.__name__ = name
    ANSWERS[name] = call


# ---------------------------------------------------------------- lists and tuples

returns("list_of_one", lambda: [b"one"])
returns("list_of_many", lambda: [b"one ", b"two ", b"", b"three"])
returns("tuple_of_many", lambda: (b"one ", b"two ", b"three"))
returns("empty_list", lambda: [])
returns("empty_tuple", lambda: ())
returns("list_of_empty", lambda: [b"", b""])
returns("long_list", lambda: [b"%d " % n for n in range(300)])
returns("list_of_long", lambda: [b"x" * 300000, b"y" * 70000])
returns("mixed_list", lambda: [b"a", 1, b"b", None, 2.5, [b"in"], b"c", object(), b"d"])
returns("mixed_tuple", lambda: (1, b"a", None, b"b", ()))
returns("only_numbers", lambda: [1, 2, 3])
returns("binary_list", lambda: [bytes(bytearray(range(256)))])
returns("unicode_list", lambda: [u"caf\xe9 ", b"and", u" plain"])
returns("bytearray_list", lambda: [bytearray(b"bytes"), bytearray(b" array")])
returns("memoryview_list", lambda: [memoryview(b"memory"), b" view"])
returns("array_list", lambda: [array.array("B", [65, 66, 67]), b"."])


class ClosingList(list):
    """A list with a close(), as middlewares return."""

    def close(self):
        report("close", of="ClosingList")


class ClosingTuple(tuple):
    """The same as a tuple."""

    def close(self):
        report("close", of="ClosingTuple")


returns("closing_list", lambda: ClosingList([b"closed ", b"once"]))
returns("closing_tuple", lambda: ClosingTuple([b"closed ", b"once"]))
returns("closing_empty_list", lambda: ClosingList())


# ---------------------------------------------------------------- files

def text_file(content):
    """A real file at its start, holding content."""
    stored = tempfile.TemporaryFile()
    stored.write(content)
    stored.seek(0)
    return stored


def read_a_little(stored, size):
    """The file after a read through Python's own buffer."""
    stored.read(size)
    return stored


def read_a_line(stored):
    """The file after a readline."""
    stored.readline()
    return stored


def pipe_of(content):
    """A file object that cannot be sought: the reading end of a pipe that holds content."""
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    return os.fdopen(reading, "rb")


def at_end(stored):
    """The file, positioned at its end."""
    stored.seek(0, 2)
    return stored


returns("file", lambda: text_file(b"the file's content\n"))
returns("long_file", lambda: text_file(LONG_TEXT))
returns("empty_file", lambda: text_file(b""))
returns("file_of_one_buffer", lambda: text_file(b"z" * 32768))
returns("file_partly_read", lambda: read_a_little(text_file(LONG_TEXT), 10))
returns("file_after_readline", lambda: read_a_line(text_file(LONG_TEXT)))
returns("file_at_end", lambda: at_end(text_file(b"all read")))
returns("pipe_file", lambda: pipe_of(b"from a pipe"))
returns("bytes_io", lambda: io.BytesIO(b"first line\nsecond line\nlast"))
returns("open_with_io", lambda: io.open(__file__.replace(".pyc", ".py"), "rb"))
if PYTHON_2:
    import StringIO
    import cStringIO

    class ClosingFile(file):  # noqa: F821
        """A real file that reports its end."""

        def close(self):
            report("close", of="ClosingFile")
            file.close(self)  # noqa: F821

    returns("string_io", lambda: StringIO.StringIO("first line\nsecond line\nlast"))
    returns("c_string_io", lambda: cStringIO.StringIO("first line\nsecond line\nlast"))
    returns("closing_file", lambda: ClosingFile(__file__.replace(".pyc", ".py")))
    returns("buffer_list", lambda: [buffer("buf"), "fer"])  # noqa: F821
    returns("buffer", lambda: buffer("one buffer"))  # noqa: F821


class FileLike(object):
    """Something with read() that is no file and no iterator."""

    def __init__(self):
        self.pieces = [b"what ", b"read ", b"gives", b""]

    def read(self, size=-1):
        return self.pieces.pop(0)

    def close(self):
        report("close", of="FileLike")


returns("file_like", FileLike)


# ---------------------------------------------------------------- iterators

@answer
def generator(environ, start_response):
    """A generator that calls start_response itself, before its first item."""
    start_response("202 Accepted", [("X-From", "generator")])
    yield b"one "
    yield b"two "
    yield b"three"


@answer
def generator_without_start(environ, start_response):
    """A generator that never calls start_response."""
    yield b"one"


@answer
def late_start(environ, start_response):
    """A generator that calls start_response after its first item, which is too late."""
    yield b"one "
    start_response("404 Too Late", [("X-Late", "yes")])
    yield b"two"


def items(*values):
    """A generator of values."""
    for value in values:
        yield value


def then_raise(*values):
    """A generator of values that ends with an exception."""
    for value in values:
        yield value
    raise RuntimeError("no further item")


returns("iterator_of_list", lambda: iter([b"one ", b"two"]))
returns("empty_generator", lambda: items())
returns("empty_iterator", lambda: iter([]))
returns("generator_of_empty", lambda: items(b"", b"", b"x", b""))
returns("mixed_generator", lambda: items(1, b"a", None, b"b", 2))
returns("unicode_generator", lambda: items(u"caf\xe9", b" b"))
returns("raises_first", lambda: then_raise())
returns("raises_later", lambda: then_raise(b"one ", b"two"))
returns("long_generator", lambda: (b"%d " % n for n in range(300)))
returns("generator_of_long", lambda: items(b"x" * 100000, b"y" * 100000))


class ClosingIterator(object):
    """An iterator with next, __iter__ and close()."""

    def __init__(self, values):
        self.values = list(values)

    def __iter__(self):
        return self

    def __next__(self):
        if not self.values:
            raise StopIteration
        return self.values.pop(0)

    next = __next__

    def close(self):
        report("close", of=self.__class__.__name__)


class OldStyleIterator:
    """The same as an old-style class on Python 2."""

    def __init__(self, values):
        self.values = list(values)

    def __iter__(self):
        return self

    def __next__(self):
        if not self.values:
            raise StopIteration
        return self.values.pop(0)

    next = __next__

    def close(self):
        report("close", of="OldStyleIterator")


class NextOnly(object):
    """An iterator of the time before PEP 234 was taken to heart: `next` and no `__iter__`."""

    def __init__(self):
        self.values = [b"next ", b"only"]

    def __next__(self):
        if not self.values:
            raise StopIteration
        return self.values.pop(0)

    next = __next__


class OldStyleNextOnly:
    """The same as an old-style class."""

    def __init__(self):
        self.values = [b"old ", b"style"]

    def __next__(self):
        if not self.values:
            raise StopIteration
        return self.values.pop(0)

    next = __next__


class Iterable(object):
    """Iterable, but no iterator; with close()."""

    def __iter__(self):
        return iter([b"it", b"er", b"able"])

    def close(self):
        report("close", of="Iterable")


class MisleadingNext(object):
    """What Django's response of old is: iterable, with a `next` that does not work."""

    def __iter__(self):
        return iter([b"by __iter__"])

    def next(self):
        raise RuntimeError("next was called")

    __next__ = next


class OldStyleIterable:
    """Old-style and iterable: every old-style instance looks like an iterator to C."""

    def __iter__(self):
        return iter([b"old ", b"iterable"])


class Sequence(object):
    """Iterable by __getitem__ alone."""

    def __getitem__(self, index):
        return [b"by ", b"index"][index]


class OldStyleSequence:
    """The same, old-style."""

    def __getitem__(self, index):
        return [b"by ", b"index"][index]


class CloseRaises(list):
    """A list whose close() fails."""

    def close(self):
        raise ValueError("close failed")


class CloseIsNoFunction(list):
    """A list whose close is a value."""

    close = 5


returns("closing_iterator", lambda: ClosingIterator([b"one ", b"two"]))
returns("closing_empty_iterator", lambda: ClosingIterator([]))
returns("old_style_iterator", lambda: OldStyleIterator([b"one ", b"two"]))
returns("next_only", NextOnly)
returns("old_style_next_only", OldStyleNextOnly)
returns("iterable", Iterable)
returns("misleading_next", MisleadingNext)
returns("old_style_iterable", OldStyleIterable)
returns("sequence", Sequence)
returns("old_style_sequence", OldStyleSequence)
returns("dictionary", lambda: {b"key": 1})
returns("close_raises", lambda: CloseRaises([b"body"]))
returns("close_is_no_function", lambda: CloseIsNoFunction([b"body"]))
returns("iterator_of_iterable", lambda: map(bytes, [b"a", b"b"]))


# ---------------------------------------------------------------- neither of them

returns("string", lambda: b"one string")
returns("empty_string", lambda: b"")
returns("unicode", lambda: u"caf\xe9")
returns("bytearray", lambda: bytearray(b"a bytearray"))
returns("memoryview", lambda: memoryview(b"a memoryview"))
returns("none", lambda: None)
returns("number", lambda: 42)
returns("truth", lambda: True)
returns("real", lambda: 1.5)
returns("object", object)
returns("class", lambda: Iterable)
returns("function", lambda: len)


# ---------------------------------------------------------------- start_response

@answer
def no_start(environ, start_response):
    """start_response is not called at all."""
    return [b"by default"]


@answer
def started_twice(environ, start_response):
    """The second call decides the status, the headers of both are kept."""
    start_response("200 OK", [("X-First", "1"), ("X-Both", "1")])
    start_response("500 Sorry", [("X-Second", "2"), ("X-Both", "2")])
    return [b"twice"]


@answer
def started_with_exc_info(environ, start_response):
    """The third parameter."""
    try:
        raise ValueError("inside")
    except ValueError:
        start_response("500 Sorry", [("X-Error", "yes")], sys.exc_info())
    return [b"exc_info"]


@answer
def status_int(environ, start_response):
    """status_code set to a number, as the original's samples do."""
    start_response.status_code = 404
    start_response.status_reasons = "Not there"
    return [b"a number"]


@answer
def status_words(environ, start_response):
    """A status of one number and several words."""
    start_response("404 No such thing, friend", [])
    return []


@answer
def status_without_reason(environ, start_response):
    """A status that does not split in two: start_response raises."""
    start_response("200", [])
    return [b"not reached"]


@answer
def status_with_blank_reason(environ, start_response):
    """A status whose reason is empty."""
    start_response("200 ", [])
    return [b"blank"]


@answer
def header_values(environ, start_response):
    """Values that are no strings, names that repeat, names in both cases."""
    start_response("200 OK", [("Content-Length", 6), ("X-None", None), ("X-Float", 1.5),
                              ("X-Same", "1"), ("X-Same", "2"), ("x-same", "3"), ("X-Empty", "")])
    return [b"values"]


@answer
def header_tuple(environ, start_response):
    """Headers as a tuple of lists."""
    start_response("200 OK", (["X-A", "1"], ["X-B", "2"]))
    return [b"tuple"]


@answer
def header_generator(environ, start_response):
    """Headers as a generator."""
    start_response("200 OK", (pair for pair in [("X-A", "1"), ("X-B", "2")]))
    return [b"generator"]


@answer
def header_unicode(environ, start_response):
    """A header of unicode text that str() takes."""
    start_response(u"200 OK", [(u"X-Text", u"plain")])
    return [b"unicode"]


@answer
def header_unicode_beyond_ascii(environ, start_response):
    """A header that Python 2's str() refuses."""
    start_response("200 OK", [("X-Text", u"caf\xe9 \u20ac")])
    return [b"unicode"]


@answer
def header_high_bytes(environ, start_response):
    """A header of bytes beyond ASCII."""
    start_response("200 OK", [("X-Bytes", "caf\xe9")])
    return [b"bytes"]


@answer
def header_long(environ, start_response):
    """One header of 12 KiB."""
    start_response("200 OK", [("X-Long", "v" * 12288)])
    return [b"long"]


@answer
def header_longer(environ, start_response):
    """One header of 100 KiB."""
    start_response("200 OK", [("X-Long", "v" * 102400)])
    return [b"longer"]


@answer
def header_many(environ, start_response):
    """A hundred headers, in the dictionary's order."""
    start_response("200 OK", [("X-Header-%d" % n, n) for n in range(100)])
    return [b"many"]


@answer
def header_split(environ, start_response):
    """A value that would split the response."""
    start_response("200 OK", [("X-Split", "a\r\nX-Injected: yes")])
    return [b"split"]


@answer
def header_bare_newline(environ, start_response):
    """A bare LF in a value."""
    start_response("200 OK", [("X-Split", "a\nX-Injected: yes")])
    return [b"split"]


@answer
def header_nul(environ, start_response):
    """A NUL in a value."""
    start_response("200 OK", [("X-Nul", "a\0b")])
    return [b"nul"]


@answer
def header_folded(environ, start_response):
    """A fold, which is allowed."""
    start_response("200 OK", [("X-Folded", "a\r\n b")])
    return [b"folded"]


@answer
def own_server_and_date(environ, start_response):
    """Server and Date given by the application replace the server's."""
    start_response("200 OK", [("Server", "mine"), ("Date", "never")])
    return [b"mine"]


@answer
def headers_removed(environ, start_response):
    """The dictionary of headers changed by hand."""
    start_response.response_headers.pop("Date")
    start_response.response_headers["X-By-Hand"] = "yes"
    return [b"removed"]


@answer
def headers_replaced(environ, start_response):
    """The dictionary of headers replaced."""
    start_response.response_headers = {"X-Only": "this"}
    return [b"replaced"]


@answer
def header_added(environ, start_response):
    """add_header after the call."""
    start_response("200 OK", [("X-A", "1")])
    start_response.add_header("X-B", 2)
    return [b"added"]


@answer
def cookie_set(environ, start_response):
    """Cookies by set_cookie."""
    start_response("200 OK", [("X-A", "1")])
    start_response.set_cookie("name", "value")
    start_response.set_cookie("other", "a b;c", max_age=3600, path="/p", domain="example.org",
                              secure=True)
    return [b"cookie"]


@answer
def cookie_expires(environ, start_response):
    """A cookie whose end is a string."""
    start_response.set_cookie("name", "value", expires="Sun, 06 Nov 1994 08:49:37 GMT")
    return [b"cookie"]


@answer
def cookie_deleted(environ, start_response):
    """A cookie set and deleted."""
    start_response.set_cookie("name", "value")
    start_response.delete_cookie("name")
    return [b"cookie"]


@answer
def start_response_described(environ, start_response):
    """What start_response holds when the application gets it."""
    names = ("status_code", "status_reasons", "exc_info", "cookies", "sent")
    seen = [[name, describe(getattr(start_response, name))] for name in names]
    report("start_response", seen=seen,
           headers=sorted(start_response.response_headers), kind_of=type(start_response).__name__)
    return [b"described"]


@answer
def status_split(environ, start_response):
    """A status line that would split the response."""
    start_response("200 OK\r\nX-Injected: yes", [])
    return [b"split"]


# ---------------------------------------------------------------- failures

class OldStyleError:
    """An exception class of before Exception."""

    def __str__(self):
        return "old style"


class WrongSignature(object):
    """A callable that takes too few parameters."""

    def __call__(self):
        return [b"never"]


raises("value_error", lambda: ValueError("boom"))
raises("markup_error", lambda: ValueError("<script>&\"'"))
raises("high_bytes_error", lambda: ValueError("caf\xe9"))
raises("unicode_error", lambda: ValueError(u"caf\xe9 \u20ac"))
raises("nul_error", lambda: ValueError("a\0b"))
raises("long_error", lambda: ValueError("x" * 50000))
raises("stop_iteration", lambda: StopIteration("stopped"))
raises("keyboard_interrupt", lambda: KeyboardInterrupt("pressed"))
raises("generator_exit", lambda: GeneratorExit())
if PYTHON_2:
    raises("old_style_error", OldStyleError)
ANSWERS["wrong_signature"] = WrongSignature()


@answer
def deep_error(environ, start_response):
    """A traceback of several frames."""
    def level(depth):
        if depth == 0:
            raise KeyError("at the bottom")
        level(depth - 1)
    level(20)


@answer
def syntax_error(environ, start_response):
    """A traceback that shows a line and a caret."""
    compile("a b c", "somewhere", "exec")


@answer
def str_raises(environ, start_response):
    """The head cannot be had."""
    start_response.response_headers = None
    return [b"no head"]


# ---------------------------------------------------------------- what is printed

@answer
def prints(environ, start_response):
    """Lines on stdout, stderr and wsgi.errors."""
    sys.stdout.write("on stdout\n")
    sys.stderr.write("on stderr\n")
    environ["wsgi.errors"].write("on wsgi.errors\n")
    return [b"printed"]


@answer
def prints_and_raises(environ, start_response):
    """A line on stdout before the traceback."""
    sys.stdout.write("before the traceback\n")
    raise ValueError("after the line")

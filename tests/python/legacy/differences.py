"""Where our core differs from the original on purpose: the one table of them, TABLE.

Owns: for each difference the cases it is about, its reason in the specification's words, and what
our core must do there, made from what the original did (`mend`).
Does not own: the comparison (test_differential.py).
Invariant: outside of this table, and of what the original did not live to answer, both do the same.
"""

import pickle
from dataclasses import dataclass
from typing import Callable

from legacy.cases import METHODS
from legacy.observation import ANSWERED
from legacy.reading import Reading, query_parameters
from support import APPS


@dataclass(frozen=True)
class Difference:
    """One row of the table.

    about(case, reading): whether a case is one of those. reason: why ours does otherwise.
    mend(case, reading, seen): changes the original's Observation to what ours must be.
    """

    name: str
    reason: str
    about: Callable
    mend: Callable


def fixed(case, seen):
    """What ours must do where the original did `seen`, and the rows that say so."""
    reading = Reading(case.request)
    rows = [row for row in TABLE if row.about(case, reading)]
    # Ten times as fast as copy.deepcopy.
    expected = pickle.loads(pickle.dumps(seen))
    for row in rows:
        row.mend(case, reading, expected)
    return expected, rows


# ---------------------------------------------------------------- which cases


def answering(*names):
    """Cases that ask for one of these answers of tests/apps/legacy/answers.py."""
    targets = {b"/answer/" + name.encode() for name in names}

    def about(case, reading):
        return bool(
            reading.complete
            and reading.method != b"OPTIONS"
            and reading.target
            and reading.target.partition(b"?")[0] in targets
        )

    return about


def request_that(holds):
    """Cases whose whole request has a property, as a function of its Reading."""
    return lambda case, reading: reading.complete and reading.method is not None and holds(reading)


def first_line(*lines):
    """Cases that begin with one of these lines."""
    return lambda case, reading: case.request.partition(b"\r")[0] in lines


# ---------------------------------------------------------------- what is fixed in them


def both(*mends):
    """One mend after the other."""

    def mend(case, reading, seen):
        for each in mends:
            each(case, reading, seen)

    return mend


def sends(content):
    """The head that reporter.py's base module makes, and this body; nothing is printed."""

    def mend(case, reading, seen):
        if called(seen):
            seen.wire = HEADS[case.base] + (b"" if reading.method == b"HEAD" else content)
            seen.stdout = b""

    return mend


def closes(name):
    """close() is called, after all else that the application reported."""

    def mend(case, reading, seen):
        if called(seen) and not any(record["kind"] == "close" for record in seen.records):
            seen.records.append({"of": name, "kind": "close"})

    return mend


def complains(text):
    """Something is printed on stderr."""

    def mend(case, reading, seen):
        if called(seen):
            seen.stderr += text

    return mend


def fails(text):
    """The application failed: the page with a traceback, which is on stdout as well."""

    def mend(case, reading, seen):
        if not called(seen):
            return
        ident = b"other/1.0" if case.base == "other" else b"reporter/0.11"
        page = b"short, by the config"
        if case.base != "other":
            page = b"<h1>Error</h1><pre>" + text + b"</pre>"
        seen.wire = (
            b"HTTP/1.0 500 Not found\r\nContent-Type: text/html\r\nServer: %s* \r\n\r\n" % ident
        )
        if reading.method != b"HEAD":
            seen.wire += page
        seen.stdout = b"Python error!!!\n" + text + b"\n"

    return mend


def is_cut_off(text):
    """The application failed when its head was out: that stays, stdout has the traceback."""

    def mend(case, reading, seen):
        if called(seen) and reading.method != b"HEAD":
            seen.stdout = b"Python error!!!\n" + text + b"\n"

    return mend


def page(status):
    """One of the server's own pages; the application is not called and nothing is printed."""

    def mend(case, reading, seen):
        nothing(case, reading, seen)
        seen.wire = PAGES[status]
        if case.base == "other":
            seen.wire = seen.wire.replace(b"reporter/0.11", b"other/1.0")

    return mend


def nothing(case, reading, seen):
    """The connection is closed without a word."""
    seen.ending, seen.death = ANSWERED, None
    seen.wire, seen.records, seen.stdout, seen.stderr = b"", [], b"", b""


def whole_message(case, reading, seen):
    """stdout has the whole of an exception's text."""
    seen.stdout = seen.stdout.replace(b"ValueError: a\n", b"ValueError: a\0b\n\n")


def called(seen):
    """Whether the application was called."""
    return any(record["kind"] == "call" for record in seen.records)


def traceback(file, line, function, error):
    """A traceback of one frame, of the line that reads so in a file of tests/apps/legacy."""
    path = APPS / "legacy" / file
    numbers = [n for n, text in enumerate(path.read_text().splitlines(), 1) if text.strip() == line]
    (number,) = numbers
    return (
        f'Traceback (most recent call last):\n  File "{path}", line {number}, in {function}\n'
        f"    {line}\n{error}\n"
    ).encode()


PAGES = {
    status: b"HTTP/1.0 %s\r\nContent-Type: text/html\r\nServer: reporter/0.11\r\n\r\n"
    b"<html><head><title>%s</head><body><p>%s!!!</p></body></html>" % (status, title, words)
    for status, title, words in (
        (b"500 Internal Server Error", b"Internal Server Error</title>", b"Internal Server Error"),
        (b"501 Not Implemented", b"Not Implemented", b"Not Implemented"),
        (
            b"431 Request Header Fields Too Large",
            b"Request Header Fields Too Large</title>",
            b"Request Header Fields Too Large",
        ),
    )
}

#: The head of most answers, by the kind of base module; in the order of Python 2.7's dictionaries.
HEADS = {
    "stock": b"HTTP/1.0 200 OK\r\nDate: *\r\nContent-Type: text/plain\r\n"
    b"Server: reporter/0.11\r\n\r\n",
    "own": b"HTTP/1.0 200 OK\r\nContent-Type=text/plain\r\nServer=reporter/0.11\r\n\r\n",
    "other": b"HTTP/1.0 200 OK\r\nX-Keys: Date,Server\r\n\r\n",
}


#: The prefixes of reporter.py whose answer repeats PATH_INFO, in the order of their registration.
ECHOES = (b"/echo", b"/ech", b"/que?stion", b"/same")


def parameters(query):
    """fapws.params of a query, as the application describes it."""
    found = {key.decode("latin-1"): values for key, values in query_parameters(query).items()}
    return [
        "dict",
        sorted(
            [["str", key], ["list", [["str", value.decode("latin-1")] for value in values]]]
            for key, values in found.items()
        ),
    ]


def environ(seen_at_call, given=lambda reading: {}):
    """The application sees these values: seen_at_call(reading) by key, `input` is the whole body.

    given(reading) is the same for what each update_* method is given.
    """

    def mend(case, reading, seen):
        at_call, at_update = seen_at_call(reading), given(reading)
        for record in seen.records:
            if record["kind"] == "call":
                record["environ"] = [
                    [key, at_call.get(key, value)] for key, value in record["environ"]
                ]
                record["input"] = at_call.get("input", record["input"])
            elif record["kind"].startswith("update_"):
                data = record["data"][1]
                data[:] = [[key, at_update.get(key[1], value)] for key, value in data]

    return mend


def empty_values(reading):
    """Headers without a value have an empty one, wherever they are seen."""
    wanted = {key: ["str", ""] for key in reading.empty_values}
    if "HTTP_CONTENT_TYPE" in wanted:
        wanted["CONTENT_TYPE"] = ["str", ""]
    return wanted


def uri_with_nul(reading):
    """What the target says when %00 is a byte like any other."""
    script = next((prefix for prefix in ECHOES if reading.target.startswith(prefix)), b"")
    path, query = reading.path_and_query(script)
    wanted = {"PATH_INFO": ["str", path.decode("latin-1")]}
    if query is not None:
        wanted["fapws.params"] = parameters(query)
    return wanted


def decoded_nul(reading):
    """The same, with the form's parameters."""
    wanted = uri_with_nul(reading)
    if reading.is_form:
        wanted["fapws.params"] = parameters(reading.body)
    return wanted


def the_body(reading):
    """wsgi.input holds what came, as far as Content-Length says; a form is read from that."""
    wanted = {"input": ["str", reading.body.decode("latin-1")]}
    if reading.is_form:
        wanted["fapws.params"] = parameters(reading.body)
    return wanted


def head_alone(case, reading, seen):
    """fapws.raw_header holds the head, to its first NUL."""
    head = b"".join(case.request.partition(b"\r\n\r\n")[:2])
    raw = ["str", head.partition(b"\0")[0].decode("latin-1")]
    environ(lambda reading: {"fapws.raw_header": raw}, lambda reading: {"fapws.raw_header": raw})(
        case, reading, seen
    )


def as_received(case, reading, seen):
    """fapws.raw_header holds what had been received when the request was complete."""
    received = (b"".join(case.pieces[:count]) for count in range(1, len(case.pieces) + 1))
    needed = next((data for data in received if Reading(data).complete), case.request)
    raw = ["str", needed.partition(b"\0")[0].decode("latin-1")]
    environ(lambda reading: {"fapws.raw_header": raw}, lambda reading: {"fapws.raw_header": raw})(
        case, reading, seen
    )


def echoed_path(case, reading, seen):
    """The answer of /echo repeats PATH_INFO."""
    for record in seen.records:
        if record["kind"] == "call" and b"echo:" in seen.wire and reading.method != b"HEAD":
            path = dict(record["environ"])["PATH_INFO"][1]
            seen.wire = seen.wire.partition(b"echo:")[0] + b"echo:" + path.encode("latin-1")


#: The prefixes of reporter.py that echo, in the order of their registration.
SCRIPTS = (b"/echo", b"/ech", b"/que?stion", b"/same")

NO_FURTHER_ITEM = traceback(
    "answers.py",
    'raise RuntimeError("no further item")',
    "then_raise",
    "RuntimeError: no further item",
)
SPLITS = b"ValueError: CR, LF or NUL in a header would split the response\n"

ONE_ITEM = "one string or buffer is sent as one item (the original sent the head alone)"
ITERATED = "any other iterable is iterated (the original sent the head alone)"
BY_ITER = "the iterator is what iter(result) gives (the original called next, and sent a 500)"
UTF8 = "a unicode item is sent as UTF-8 (the original sent its raw memory)"
NO_ITEMS = "an iterator without items: its head and an empty body (the original sent a 500)"
CLOSED = "close() is called on every result that has one (the original forgot iterators)"
CLOSE_FAILS = "an exception of close() is printed on stderr (the original dropped it)"
SPLITTING = "CR, LF or NUL in a header is rejected with the 500 page (a value split the response)"

#: config.body_memory.
MEMORY = 65536

#: How long a head may be.
LONGEST_HEAD = 1 << 20

TABLE = [
    # ------------------------------------------------------------ requests
    Difference(
        "head above 1 MiB",
        "a head is at most 1 MiB: the 431 page (the original held whatever came)",
        lambda case, reading: len(case.request.partition(b"\r\n\r\n")[0]) > LONGEST_HEAD,
        page(b"431 Request Header Fields Too Large"),
    ),
    Difference(
        "body longer than body_memory",
        "fapws.raw_header has the head alone, as the body is elsewhere (the original showed both)",
        request_that(lambda reading: len(reading.body) > MEMORY),
        head_alone,
    ),
    Difference(
        "empty header value",
        'an empty value is "" (the original left there what the name had been)',
        request_that(lambda reading: reading.empty_values),
        environ(empty_values, empty_values),
    ),
    Difference(
        "encoded NUL",
        "%XX is a byte (the original's strings ended at %00)",
        request_that(lambda reading: b"%00" in reading.target or b"%00" in reading.body),
        both(environ(decoded_nul, uri_with_nul), echoed_path),
    ),
    Difference(
        "spelling of Content-Length",
        "header names are matched in any case (the application was handed process memory)",
        request_that(
            lambda reading: (
                reading.method == b"POST"
                and reading.length is not None
                and reading.wanted_by_the_original is None
            )
        ),
        environ(the_body),
    ),
    Difference(
        "length found elsewhere",
        "the last Content-Length header counts (the original waited for the first one's bytes)",
        lambda case, reading: (
            len(case.pieces) > 1 and (reading.wanted_by_the_original or 0) != reading.wanted
        ),
        both(
            environ(lambda reading: the_body(reading) if reading.method == b"POST" else {}),
            as_received,
        ),
    ),
    Difference(
        "form of more than its length",
        "the body is exactly what came, up to Content-Length (the original's continued past it)",
        request_that(lambda reading: reading.is_form and reading.extra),
        environ(the_body),
    ),
    Difference(
        "NUL in a form",
        "fapws.params is the parsed body (the original's ended at a NUL)",
        request_that(lambda reading: reading.is_form and b"\0" in reading.body),
        environ(the_body),
    ),
    Difference(
        "no version",
        "a short or missing version gets the 500 page (the original read out of bounds)",
        first_line(
            *(method + b" /echo/x?y=z " + version for method in METHODS for version in (b"", b"H")),
            b"GET /echo/x",
        ),
        page(b"500 Internal Server Error"),
    ),
    Difference(
        "no target",
        "no request line: the 501 page (the original took the method for the target)",
        first_line(b"GET  /echo/x HTTP/1.1", b"GET  HTTP/1.1"),
        page(b"501 Not Implemented"),
    ),
    Difference(
        "NUL first",
        "a head that is only garbage gets the 501 page (the original just closed)",
        first_line(b"\0GET / HTTP/1.1"),
        page(b"501 Not Implemented"),
    ),
    Difference(
        "cut short",
        "a body or head that was cut short is not a request (the original took what there was)",
        lambda case, reading: case.half_close and not reading.complete,
        nothing,
    ),
    # ------------------------------------------------------------ what is returned
    Difference(
        "unicode items", UTF8, answering("unicode_list"), sends("caf\xe9 and plain".encode())
    ),
    Difference(
        "unicode of an iterator", UTF8, answering("unicode_generator"), sends("caf\xe9 b".encode())
    ),
    Difference("string", ONE_ITEM, answering("string"), sends(b"one string")),
    Difference("empty string", ONE_ITEM, answering("empty_string"), sends(b"")),
    Difference("unicode", ONE_ITEM, answering("unicode"), sends("caf\xe9".encode())),
    Difference("buffer", ONE_ITEM, answering("buffer"), sends(b"one buffer")),
    Difference("bytearray", ONE_ITEM, answering("bytearray"), sends(b"a bytearray")),
    Difference("memoryview", ONE_ITEM, answering("memoryview"), sends(b"a memoryview")),
    Difference(
        "file-like",
        "what has read() is sent to its end (the original sent the head alone)",
        answering("file_like"),
        both(sends(b"what read gives"), closes("FileLike")),
    ),
    Difference(
        "iterable", ITERATED, answering("iterable"), both(sends(b"iterable"), closes("Iterable"))
    ),
    Difference("sequence", ITERATED, answering("sequence"), sends(b"by index")),
    Difference("dictionary", ITERATED, answering("dictionary"), sends(b"key")),
    Difference("misleading next", BY_ITER, answering("misleading_next"), sends(b"by __iter__")),
    Difference("old-style sequence", BY_ITER, answering("old_style_sequence"), sends(b"by index")),
    Difference(
        "old-style iterable", BY_ITER, answering("old_style_iterable"), sends(b"old iterable")
    ),
    Difference("no items", NO_ITEMS, answering("empty_generator", "empty_iterator"), sends(b"")),
    Difference(
        "no items, and close",
        NO_ITEMS,
        answering("closing_empty_iterator"),
        both(sends(b""), closes("ClosingIterator")),
    ),
    Difference("iterator", CLOSED, answering("closing_iterator"), closes("ClosingIterator")),
    Difference(
        "old-style iterator", CLOSED, answering("old_style_iterator"), closes("OldStyleIterator")
    ),
    Difference(
        "close that raises",
        CLOSE_FAILS,
        answering("close_raises"),
        complains(
            traceback(
                "answers.py",
                'raise ValueError("close failed")',
                "close",
                "ValueError: close failed",
            )
        ),
    ),
    Difference(
        "close that is not callable",
        CLOSE_FAILS,
        answering("close_is_no_function"),
        complains(b"TypeError: 'int' object is not callable\n"),
    ),
    Difference(
        "class",
        CLOSE_FAILS,
        answering("class"),
        complains(
            b"TypeError: unbound method close() must be called with Iterable instance as first "
            b"argument (got nothing instead)\n"
        ),
    ),
    # ------------------------------------------------------------ failures
    Difference(
        "iterator that raises first",
        "an application that raises: the traceback page (the original sent its head alone)",
        answering("raises_first"),
        fails(NO_FURTHER_ITEM),
    ),
    Difference(
        "iterator that raises later",
        "an iterator that raises later: the traceback is printed (the original dropped it)",
        answering("raises_later"),
        is_cut_off(NO_FURTHER_ITEM),
    ),
    Difference(
        "NUL in an exception",
        "the traceback is printed (the original's ended at a NUL)",
        answering("nul_error"),
        whole_message,
    ),
    Difference(
        "splitting value",
        SPLITTING,
        lambda case, reading: (
            case.base != "other"
            and answering("header_split", "header_bare_newline", "header_nul", "status_split")(
                case, reading
            )
        ),
        fails(SPLITS),
    ),
    Difference(
        "sys.exit",
        "the client gets its 500 before the process ends (the original ended at once)",
        lambda case, reading: case.name in ("exit 0", "exit 3"),
        lambda case, reading, seen: fails(
            traceback("reporter.py", "sys.exit(number)", "leave", f"SystemExit: {case.name[-1]}")
        )(case, reading, seen),
    ),
]

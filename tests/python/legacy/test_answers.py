"""What a callback may return, raise and say through start_response, and what the client gets.

The answers are tests/apps/legacy/answers.py, by name. The differential test holds them to the
original; here they are held to the specification's words, on every interpreter.
"""

import pytest
from legacy.recording import Program
from support.client import parse_head

pytestmark = pytest.mark.each_major

BODIES = {
    "list_of_one": b"one",
    "list_of_many": b"one two three",
    "tuple_of_many": b"one two three",
    "empty_list": b"",
    "empty_tuple": b"",
    "list_of_empty": b"",
    "long_list": b"".join(b"%d " % n for n in range(300)),
    "list_of_long": b"x" * 300000 + b"y" * 70000,
    "mixed_list": b"abcd",
    "mixed_tuple": b"ab",
    "only_numbers": b"",
    "binary_list": bytes(range(256)),
    "unicode_list": "café and plain".encode(),
    "bytearray_list": b"bytes array",
    "memoryview_list": b"memory view",
    "array_list": b"ABC.",
    "closing_list": b"closed once",
    "file": b"the file's content\n",
    "empty_file": b"",
    "file_of_one_buffer": b"z" * 32768,
    "file_at_end": b"",
    "pipe_file": b"from a pipe",
    "bytes_io": b"first line\nsecond line\nlast",
    "file_like": b"what read gives",
    "generator_without_start": b"one",
    "iterator_of_list": b"one two",
    "empty_generator": b"",
    "empty_iterator": b"",
    "generator_of_empty": b"x",
    "mixed_generator": b"ab",
    "unicode_generator": "café b".encode(),
    "raises_later": b"one two",
    "long_generator": b"".join(b"%d " % n for n in range(300)),
    "generator_of_long": b"x" * 100000 + b"y" * 100000,
    "closing_iterator": b"one two",
    "closing_empty_iterator": b"",
    "old_style_iterator": b"one two",
    "next_only": b"next only",
    "old_style_next_only": b"old style",
    "iterable": b"iterable",
    "misleading_next": b"by __iter__",
    "old_style_iterable": b"old iterable",
    "sequence": b"by index",
    "old_style_sequence": b"by index",
    "dictionary": b"key",
    "close_raises": b"body",
    "close_is_no_function": b"body",
    "string": b"one string",
    "empty_string": b"",
    "unicode": "café".encode(),
    "bytearray": b"a bytearray",
    "memoryview": b"a memoryview",
    "none": b"",
    "number": b"",
    "truth": b"",
    "real": b"",
    "object": b"",
    "function": b"",
}

TEXT = b"".join(b"line %05d of a text longer than one write\n" % n for n in range(5000))

SKIPPED = "The item {} of your {} is not a string!!!!  It will be skipped"
NOT_USABLE = (
    "wsgi output of is neither a list, neither a fileobject, neither an iterable object!!!!!"
)

CLOSED_ONCE = {
    "closing_list": "ClosingList",
    "closing_tuple": "ClosingTuple",
    "closing_empty_list": "ClosingList",
    "closing_iterator": "ClosingIterator",
    "closing_empty_iterator": "ClosingIterator",
    "old_style_iterator": "OldStyleIterator",
    "iterable": "Iterable",
    "file_like": "FileLike",
}


@pytest.fixture(scope="module")
def reporter(site, tmp_path_factory):
    """One server for all tests of this file that do not look at what it prints."""
    program = Program(site, "reporter.py", "stock", folder=tmp_path_factory.mktemp("reporter"))
    yield program.start()
    program.stop().check()


def ask(program, name, method=b"GET"):
    """(status line without the version, headers, body) of an answer by its name."""
    whole = program.exchange(method + b" /answer/" + name.encode() + b" HTTP/1.0\r\n\r\n")
    head, blank, body = whole.partition(b"\r\n\r\n")
    version, status, reason, headers = parse_head(head + blank)
    assert version == "HTTP/1.0"
    return f"{status} {reason}", dict(headers), body


@pytest.mark.parametrize("name", BODIES)
def test_what_a_callback_may_return(reporter, name):
    status, headers, body = ask(reporter, name)
    assert status == "200 OK"
    if name == "memoryview_list" and reporter.site.major == 2:
        # To Python 2 it is no readable buffer.
        assert body == b" view"
    else:
        assert body == BODIES[name]
    assert "Date" in headers and "Server" in headers


@pytest.mark.parametrize(
    ("name", "start"), [("long_file", 0), ("file_partly_read", 10), ("file_after_readline", 43)]
)
def test_a_file_goes_out_from_its_position(reporter, name, start):
    assert ask(reporter, name)[2] == TEXT[start:]


@pytest.mark.parametrize("name", ["list_of_long", "generator", "long_file", "string", "none"])
def test_head_gets_the_head_alone(reporter, name):
    status, headers, body = ask(reporter, name, b"HEAD")
    expected, same_headers, _ = ask(reporter, name)
    assert (status, list(headers), body) == (expected, list(same_headers), b"")


@pytest.mark.parametrize("name", CLOSED_ONCE)
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_close_is_called_once(reporter, name, method):
    reporter.read_records()
    ask(reporter, name, method)
    closed = [record for record in settled(reporter) if record["kind"] == "close"]
    assert [record["of"] for record in closed] == [CLOSED_ONCE[name]]


def test_a_generators_own_start_response_is_in_its_head(reporter):
    status, headers, body = ask(reporter, "generator")
    assert (status, headers["X-From"], body) == ("202 Accepted", "generator", b"one two three")


def test_a_generator_that_starts_too_late_is_not_heard(reporter):
    status, headers, body = ask(reporter, "late_start")
    assert (status, "X-Late" in headers, body) == ("200 OK", False, b"one two")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("mixed_list", [SKIPPED.format(n, "list") for n in (1, 3, 4, 5, 7)]),
        ("mixed_tuple", [SKIPPED.format(n, "list") for n in (0, 2, 4)]),
        ("mixed_generator", [SKIPPED.format(n, "iterator") for n in (0, 2, 4)]),
        ("none", [NOT_USABLE]),
        ("number", [NOT_USABLE]),
        ("list_of_many", []),
    ],
)
def test_what_cannot_be_sent_is_told(start_ours, name, lines):
    program = start_ours("reporter.py", "stock")
    ask(program, name)
    settled(program)
    assert program.stdout.splitlines()[2:] == lines


def settled(program):
    """The records of everything asked so far, whose lines are in stdout too."""
    for _ in range(2):
        program.exchange(b"GET /settle HTTP/1.0\r\n\r\n")
    return program.read_records()


# ---------------------------------------------------------------- failures

FAILURES = {
    "value_error": "ValueError: boom",
    "markup_error": "ValueError: <script>&\"'",
    "stop_iteration": "StopIteration: stopped",
    "keyboard_interrupt": "KeyboardInterrupt: pressed",
    "wrong_signature": "TypeError",
    "deep_error": "KeyError: 'at the bottom'",
    "raises_first": "RuntimeError: no further item",
    "no_such_answer": "KeyError: 'no_such_answer'",
}


@pytest.mark.parametrize("name", FAILURES)
def test_an_exception_is_shown_to_the_client_and_on_stdout(start_ours, name):
    program = start_ours("reporter.py", "stock")
    status, headers, body = ask(program, name)
    assert status == "500 Not found"
    assert list(headers) == ["Content-Type", "Server"]
    assert headers["Content-Type"] == "text/html"
    assert headers["Server"].endswith("*")
    assert body.startswith(b"<h1>Error</h1><pre>Traceback (most recent call last):\n")
    assert body.endswith(b"\n</pre>")
    traceback = body[len(b"<h1>Error</h1><pre>") : -len(b"</pre>")].decode()
    assert FAILURES[name] in traceback.splitlines()[-1]
    settled(program)
    assert program.stdout.partition("event backend\n")[2] == f"Python error!!!\n{traceback}\n"
    assert program.stderr == ""


def test_the_server_lives_on_after_every_failure(reporter):
    for name in FAILURES:
        ask(reporter, name)
    assert ask(reporter, "list_of_one")[2] == b"one"


def test_an_iterator_that_raises_later_is_cut_and_told(start_ours):
    program = start_ours("reporter.py", "stock")
    assert ask(program, "raises_later")[2] == b"one two"
    settled(program)
    assert "RuntimeError: no further item" in program.stdout + program.stderr


@pytest.mark.parametrize(
    "name", ["header_split", "header_bare_newline", "header_nul", "status_split"]
)
def test_a_value_cannot_split_the_response(reporter, name):
    status, headers, _ = ask(reporter, name)
    assert status == "500 Not found"
    assert "X-Injected" not in headers


# ---------------------------------------------------------------- start_response


def test_without_a_call_the_status_is_200(reporter):
    assert ask(reporter, "no_start")[::2] == ("200 OK", b"by default")


def test_the_last_status_wins_and_all_headers_stay(reporter):
    status, headers, _ = ask(reporter, "started_twice")
    assert status == "500 Sorry"
    assert (headers["X-First"], headers["X-Both"], headers["X-Second"]) == ("1", "2", "2")


def test_status_code_may_be_a_number(reporter):
    assert ask(reporter, "status_int")[::2] == ("404 Not there", b"a number")


def test_values_that_are_no_strings(reporter):
    status, headers, body = ask(reporter, "header_values")
    assert (headers["Content-Length"], headers["X-None"], headers["X-Float"]) == (
        "6",
        "None",
        "1.5",
    )
    assert (headers["X-Same"], headers["x-same"], headers["X-Empty"]) == ("2", "3", "")
    assert body == b"values"


def test_server_and_date_are_the_applications_when_it_gives_them(reporter):
    _, headers, _ = ask(reporter, "own_server_and_date")
    assert (headers["Server"], headers["Date"]) == ("mine", "never")


def test_the_dictionary_of_headers_may_be_changed(reporter):
    _, headers, _ = ask(reporter, "headers_removed")
    assert sorted(headers) == ["Server", "X-By-Hand"]
    _, headers, _ = ask(reporter, "headers_replaced")
    assert headers == {"X-Only": "this"}


@pytest.mark.parametrize(("name", "length"), [("header_long", 12288), ("header_longer", 102400)])
def test_a_head_of_any_size_is_sent(reporter, name, length):
    assert ask(reporter, name)[1]["X-Long"] == "v" * length


def test_many_headers(reporter):
    _, headers, _ = ask(reporter, "header_many")
    assert [headers[f"X-Header-{n}"] for n in range(100)] == [str(n) for n in range(100)]


def test_a_fold_is_kept(reporter):
    whole = reporter.exchange(b"GET /answer/header_folded HTTP/1.0\r\n\r\n")
    assert b"X-Folded: a\r\n b\r\n" in whole


def test_cookies(reporter):
    whole = reporter.exchange(b"GET /answer/cookie_set HTTP/1.0\r\n\r\n")
    lines = whole.partition(b"\r\n\r\n")[0].split(b"\r\n")
    name, other = [line for line in lines if line.startswith(b"Set-Cookie: ")]
    assert name == b"Set-Cookie: name=value; Path=/"
    assert other.startswith(b'Set-Cookie: other="a b\\073c"')
    assert {b"Domain=example.org", b"Max-Age=3600", b"Path=/p"} < set(other.split(b"; "))
    assert b"\r\nSet-Cookie: name=value; Path=/; expires=" not in whole


def test_a_cookie_is_deleted(reporter):
    whole = reporter.exchange(b"GET /answer/cookie_deleted HTTP/1.0\r\n\r\n")
    assert b"Max-Age=0" in whole

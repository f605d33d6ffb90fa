"""fapws.contrib.zip: every kind of result, and a head that fits the body."""

import io
import zlib

import pytest
from fapws import base
from fapws.contrib.zip import Gzip

GZIP = {"HTTP_ACCEPT_ENCODING": "gzip, deflate, br"}
BODY = b"0123456789" * 1000


def gunzip(data):
    """The decompressed data, which must be one whole gzip member."""
    decompressor = zlib.decompressobj(16 + zlib.MAX_WBITS)
    plain = decompressor.decompress(data) + decompressor.flush()
    assert decompressor.unused_data == b""
    if hasattr(decompressor, "eof"):
        assert decompressor.eof
    return plain


def returns(result, headers=(), status="200 OK"):
    """An application that returns `result`, or what it makes if it can be called."""

    def application(environ, start_response):
        start_response(status, list(headers))
        return result() if callable(result) else result

    return application


class Closing(object):
    """An iterator that counts the calls of close."""

    def __init__(self, items):
        self.items = iter(items)
        self.closed = 0

    def __iter__(self):
        return self.items

    def close(self):
        self.closed += 1


def generate():
    yield BODY[:100]
    yield b""
    yield BODY[100:].decode("ascii")


@pytest.mark.parametrize(
    "result",
    [
        [BODY],
        [BODY[:100], BODY[100:].decode("ascii"), None, 5],
        (BODY[:100], bytearray(BODY[100:])),
        BODY,
        BODY.decode("ascii"),
        bytearray(BODY),
        lambda: io.BytesIO(BODY),
        generate,
        lambda: iter([BODY]),
        lambda: Closing([BODY]),
    ],
)
def test_each_kind_of_result_is_compressed(ask, dialect, result):
    headers = [("Content-Length", "10000"), ("Content-Type", "text/plain")]
    answer = ask(Gzip()(returns(result, headers)), dialect, **GZIP)
    assert gunzip(answer.body) == BODY
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"] == "text/plain"
    # What the server of the standard dialect counts, and what nobody knows before, is not told.
    length = answer.headers.get("content-length")
    assert length in (None, str(len(answer.body)))
    if dialect == "legacy" and isinstance(answer.result, list):
        assert length is not None


@pytest.mark.parametrize("empty", [[], (), b"", iter(())])
def test_an_empty_body_stays_one(ask, dialect, empty):
    answer = ask(Gzip()(returns(empty)), dialect, **GZIP)
    assert gunzip(answer.body) == b""


def test_no_result_is_passed_on(environ, dialect):
    start_response = base.Start_response()
    assert Gzip()(returns(None))(environ(dialect, **GZIP), start_response) is None


@pytest.mark.parametrize(
    "accepted",
    ["gzip", "deflate, gzip", "GZIP", "x-gzip", "gzip;q=0.5", "br;q=1, gzip ; q=0.001", "gzip;q=1"],
)
def test_it_is_compressed_for_who_accepts_it(ask, dialect, accepted):
    answer = ask(Gzip()(returns([BODY])), dialect, HTTP_ACCEPT_ENCODING=accepted)
    assert answer.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    "accepted", ["", "identity", "deflate", "gzip;q=0", "gzip; q=0.000", "gzipped", "*"]
)
def test_it_is_left_alone_for_who_does_not(ask, dialect, accepted):
    result = [BODY]
    answer = ask(
        Gzip()(returns(result, [("Content-Length", "10000")])),
        dialect,
        HTTP_ACCEPT_ENCODING=accepted,
    )
    assert answer.result is result
    assert answer.headers == {"content-length": "10000", "vary": "Accept-Encoding"}


def test_a_file_goes_as_it_is_to_who_does_not(ask, dialect):
    """So that the server can send it by sendfile."""
    source = io.BytesIO(BODY)
    answer = ask(Gzip()(returns(source)), dialect)
    assert answer.result is source
    assert answer.body == BODY


@pytest.mark.parametrize(
    "status, headers",
    [
        ("200 OK", [("Content-Encoding", "br")]),
        ("206 Partial Content", [("Content-Range", "bytes 0-9/20")]),
        ("304 Not Modified", []),
        ("204 No Content", []),
    ],
)
def test_what_must_not_be_compressed_is_not(ask, dialect, status, headers):
    answer = ask(Gzip()(returns([b"0123456789"], headers, status)), dialect, **GZIP)
    assert answer.body == b"0123456789"
    assert answer.headers == {name.lower(): value for name, value in headers}


@pytest.mark.parametrize(
    "given, told",
    [
        ("Cookie", "Cookie, Accept-Encoding"),
        ("accept-encoding, Cookie", "accept-encoding, Cookie"),
        ("*", "*"),
    ],
)
def test_vary_is_added_to(ask, dialect, given, told):
    for variables in (GZIP, {}):
        answer = ask(Gzip()(returns([BODY], [("vary", given)])), dialect, **variables)
        assert answer.headers["vary"] == told


def test_a_strong_tag_becomes_weak(ask, dialect):
    for tag, told in [('"a"', 'W/"a"'), ('W/"a"', 'W/"a"'), ("1.5", "1.5")]:
        answer = ask(Gzip()(returns([BODY], [("ETag", tag)])), dialect, **GZIP)
        assert answer.headers["etag"] == told


def test_each_item_of_an_iterator_can_be_read_at_once(environ, dialect):
    decompressor = zlib.decompressobj(16 + zlib.MAX_WBITS)
    start_response = base.Start_response()
    result = Gzip()(returns(lambda: iter([b"one", b"two"])))(
        environ(dialect, **GZIP), start_response
    )
    assert decompressor.decompress(next(result)) == b"one"
    assert decompressor.decompress(next(result)) == b"two"


def test_nothing_is_made_of_an_empty_item(environ, dialect):
    """PEP 3333: the head is not sent before the first item that is not empty, and may change."""
    result = Gzip()(returns(lambda: iter([b"", b"a"])))(
        environ(dialect, **GZIP), base.Start_response()
    )
    assert next(result) == b""


def test_a_generator_starts_when_it_is_read(ask, dialect):
    def application(environ, start_response):
        start_response("201 Created", [("A", "b")])
        yield BODY

    answer = ask(Gzip()(application), dialect, **GZIP)
    assert answer.status == "201 Created"
    assert gunzip(answer.body) == BODY
    assert answer.headers["content-encoding"] == "gzip"


def test_close_is_called_once(ask, dialect):
    for variables in (GZIP, {}):
        source = Closing([BODY])
        ask(Gzip()(returns(source)), dialect, **variables)
        assert source.closed == 1


class CountingFile(object):
    """A file of `size` bytes that notes the largest piece that was asked for."""

    def __init__(self, size):
        self.left = size
        self.closed = 0
        self.largest = 0

    def read(self, size=-1):
        wanted = self.left if size < 0 else min(size, self.left)
        self.largest = max(self.largest, wanted)
        self.left -= wanted
        return b"x" * wanted

    def close(self):
        self.closed += 1


@pytest.mark.parametrize("size", [0, 10, 2**20 - 1, 2**20, 2**20 + 1, 5 * 2**20])
def test_a_file_of_any_size_is_read_in_pieces(ask, dialect, size):
    source = CountingFile(size)
    answer = ask(Gzip()(returns(source)), dialect, **GZIP)
    assert gunzip(answer.body) == b"x" * size
    assert source.largest <= 2**20
    assert source.closed == 1


def test_write_is_compressed_too(environ, ask):
    def application(environ, start_response):
        write = start_response("200 OK", [])
        write(b"written ")
        return [b"returned"]

    answer = ask(Gzip()(application), "standard", **GZIP)
    sent = b"".join(answer.start_response.written) + answer.body
    assert gunzip(sent) == b"written returned"


def test_head_has_no_length_rather_than_a_wrong_one(ask):
    application = Gzip()(returns([], [("Content-Length", "10000")]))
    answer = ask(application, "standard", REQUEST_METHOD="HEAD", **GZIP)
    assert answer.headers == {"content-encoding": "gzip", "vary": "Accept-Encoding"}
    # A list's length the server would count.
    assert not isinstance(answer.result, (list, tuple))


def test_an_error_may_replace_the_head(ask):
    def application(environ, start_response):
        start_response("200 OK", [("Content-Length", "1")])
        start_response("500 Error", [("Content-Type", "text/plain")], (None, None, None))
        return [b"error"]

    answer = ask(Gzip()(application), "standard", **GZIP)
    assert answer.status == "500 Error"
    assert gunzip(answer.body) == b"error"


def test_attributes_reach_the_real_start_response(environ, dialect):
    def application(environ, start_response):
        start_response.add_header("Content-Type", "text/plain")
        start_response.response_headers["content-length"] = 10000
        start_response.status_code = "203"
        start_response.set_cookie("a", "b")
        start_response.extra = "kept"
        assert start_response.status_code == "203"
        return [BODY]

    start_response = base.Start_response()
    (body,) = Gzip()(application)(environ(dialect, **GZIP), start_response)
    assert gunzip(body) == BODY
    assert start_response.status_code == "203"
    assert start_response.extra == "kept"
    assert start_response.cookies["a"].value == "b"
    expected = {
        "Content-Type": "text/plain",
        "Content-Encoding": "gzip",
        "Vary": "Accept-Encoding",
    }
    if dialect == "legacy":
        expected["Content-Length"] = str(len(body))
    assert start_response.response_headers == expected

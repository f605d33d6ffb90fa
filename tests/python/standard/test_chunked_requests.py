"""The chunked coding of requests: RFC 9112 section 7.1."""

import json

import pytest
from standard.message import chunk, chunks, post_chunked, request
from standard.refusal import assert_refused

LAST = b"0\r\n\r\n"


def assert_decoded(probe, encoded, body):
    with probe.connect() as client:
        client.send(post_chunked("/echo", encoded) + request("/"))
        answer = client.response()
        assert (answer.status, answer.body) == (200, body)
        assert client.response().body == b"hello"


@pytest.mark.wire
@pytest.mark.parametrize(
    "encoded, body",
    [
        (LAST, b""),
        (b"00000\r\n\r\n", b""),
        (b"5\r\nhello\r\n" + LAST, b"hello"),
        (b"0005\r\nhello\r\n" + LAST, b"hello"),
        (b"a\r\n0123456789\r\n" + LAST, b"0123456789"),
        (b"A\r\n0123456789\r\n" + LAST, b"0123456789"),
        (b"2\r\n\r\n\r\n" + LAST, b"\r\n"),
        (b"5\r\n0\r\n\r\n\r\n" + LAST, b"0\r\n\r\n"),
        (b"1\r\na\r\n1\r\nb\r\n" + LAST, b"ab"),
        (b"5;ext\r\nhello\r\n" + LAST, b"hello"),
        (b"5;ext=1;other=2\r\nhello\r\n0;last\r\n\r\n", b"hello"),
        (b'5;ext="a;b\\"c"\r\nhello\r\n' + LAST, b"hello"),
        (b"5\r\nhello\r\n0\r\nChecksum: value\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n0\r\nA: 1\r\nB:\r\nC: 3 \r\n\r\n", b"hello"),
    ],
)
def test_well_formed(probe, encoded, body):
    assert_decoded(probe, encoded, body)


@pytest.mark.wire
@pytest.mark.parametrize(
    "encoded",
    [
        b"\r\n" + LAST,
        b"x\r\n" + LAST,
        b"-5\r\nhello\r\n" + LAST,
        b"+5\r\nhello\r\n" + LAST,
        b"-0\r\n\r\n",
        b"0x5\r\nhello\r\n" + LAST,
        b"5h\r\nhello\r\n" + LAST,
        b"5_0\r\nhello\r\n" + LAST,
        b" 5\r\nhello\r\n" + LAST,
        b"5 5\r\nhello\r\n" + LAST,
        b"5,\r\nhello\r\n" + LAST,
        b"5\x00\r\nhello\r\n" + LAST,
        b"\xd9\xa5\r\nhello\r\n" + LAST,
        b";ext\r\nhello\r\n" + LAST,
        b"5\nhello\r\n" + LAST,
        b"5\rhello\r\n" + LAST,
        b"5\r\r\nhello\r\n" + LAST,
        b"5;ext\nhello\r\n" + LAST,
        b"5;a\nb\r\nhello\r\n" + LAST,
        b"5;a\rb\r\nhello\r\n" + LAST,
        b"5;a\x00b\r\nhello\r\n" + LAST,
        b"5\r\nhello" + LAST,
        b"5\r\nhello\n" + LAST,
        b"5\r\nhello\r" + LAST,
        b"5\r\nhelloXX" + LAST,
        b"5\r\nhelloX\r\n" + LAST,
        b"4\r\nhello\r\n" + LAST,
        b"6\r\nhello\r\n" + LAST,
        b"5\r\nhello\r\n0\n\n",
        b"5\r\nhello\r\n0\r\n\n",
        b"5\r\nhello\r\n0\r\nno colon\r\n\r\n",
        b"5\r\nhello\r\n0\r\nA : b\r\n\r\n",
        b"5\r\nhello\r\n0\r\nA: b\r\n folded\r\n\r\n",
        b"5\r\nhello\r\n0\r\nA: b\nC: d\r\n\r\n",
        b"5\r\nhello\r\n0\r\nA: \x00\r\n\r\n",
        b"FFFFFFFFFFFFFFFF\r\nhello\r\n" + LAST,
        b"10000000000000005\r\nhello\r\n" + LAST,
        b"100000005\r\nhello\r\n" + LAST,
        b"8000000000000000\r\nhello\r\n" + LAST,
        b"f" * 60 + b"\r\nhello\r\n" + LAST,
    ],
    ids=lambda encoded: repr(encoded)[2:40],
)
def test_malformed(probe, name, encoded):
    """Never the application, never what follows; 413 where the number is merely enormous."""
    statuses = {400, 413} if encoded[:9].isalnum() else 400
    assert_refused(probe, post_chunked(f"/echo?name={name}", encoded), statuses)
    assert probe.journal(name) == []


def test_trailers_are_dropped(probe):
    """They must not become headers: they come after every check (RFC 9110 section 6.5.1)."""
    trailers = (
        b"X-Late: 1\r\nHosts: other\r\nCookie: late=1\r\nContent-Type: text/late\r\n"
        b"Authorization: late\r\nConnection: close\r\nExpect: 100-continue\r\n"
    )
    with probe.connect() as client:
        client.send(post_chunked("/environ", chunks(b"hello", 5, trailers)) + request("/"))
        seen = json.loads(client.response().body)["values"]
        assert seen["HTTP_HOST"] == ["str", "probe"]
        assert not {"HTTP_X_LATE", "HTTP_HOSTS", "HTTP_COOKIE", "CONTENT_TYPE"} & set(seen)
        assert not {"HTTP_AUTHORIZATION", "HTTP_EXPECT"} & set(seen)
        assert seen.get("HTTP_CONNECTION") != ["str", "close"]
        assert client.response().body == b"hello"


@pytest.mark.wire
@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding"])
def test_trailers_that_frame_or_route(probe, name):
    """RFC 9110 section 6.5.1: nobody may send them, and who believed one would be misled."""
    encoded = chunks(b"hello", 5, f"X-Late: 1\r\n{name}: 9\r\n".encode())
    assert_refused(probe, post_chunked("/echo", encoded), 400)


def test_reading_ends_by_itself(probe):
    seen = json.loads(probe.request(post_chunked("/environ", chunks(b"hello", 5))).body)["values"]
    assert seen["wsgi.input_terminated"] == ["bool", True]


@pytest.mark.wire
def test_every_cut(probe):
    """Two pieces, cut at each byte: the decoder keeps its place in every state."""
    encoded = b"5;ext=1\r\nhello\r\n0a\r\n, 9 bytes \r\n0\r\nTrail: er\r\n\r\n"
    whole = post_chunked("/echo", encoded)
    start = len(whole) - len(encoded)
    for cut in range(start, len(whole)):
        with probe.connect() as client:
            client.send(whole[:cut])
            client.send(whole[cut:] + request("/"))
            assert client.response().body == b"hello, 9 bytes "
            assert client.response().body == b"hello"


@pytest.mark.wire
def test_byte_by_byte(probe):
    with probe.connect() as client:
        for byte in post_chunked("/echo", chunks(b"hello world", 4)):
            client.send(bytes([byte]))
        assert client.response().body == b"hello world"


@pytest.mark.wire
@pytest.mark.parametrize("size", [1, 7, 4095, 4096, 65536, 300_000])
def test_chunks_of_all_sizes(probe, size):
    body = bytes(range(256)) * (20 if size < 10 else 2000)
    assert_decoded(probe, chunks(body, size), body)


@pytest.mark.wire
def test_long_extensions_within_the_limit(probe):
    assert_decoded(probe, chunk(b"hello", b";" + b"x" * 3000) + LAST, b"hello")


@pytest.mark.wire
def test_extension_line_past_the_limit(probe):
    encoded = chunk(b"hello", b";" + b"x" * 5000) + LAST
    assert_refused(probe, post_chunked("/echo", encoded), 400)


@pytest.mark.wire
def test_extensions_of_a_message_past_the_limit(probe):
    """1-byte chunks with long extensions: much to read for little body (CVE-2023-39326's kind)."""
    encoded = chunk(b"h", b";" + b"x" * 1000) * 80 + LAST
    assert_refused(probe, post_chunked("/echo", encoded), 400)


@pytest.mark.wire
def test_trailers_past_the_limit(probe):
    trailers = b"".join(b"T%d: %s\r\n" % (number, b"x" * 1000) for number in range(100))
    assert_refused(probe, post_chunked("/echo", chunks(b"hello", 5, trailers)), {400, 431})


@pytest.mark.wire
def test_a_chunk_size_line_that_never_ends(probe):
    """Zeros are valid digits of a size, but not for ever."""
    with probe.connect() as client:
        client.send(post_chunked("/echo", b"0" * 100_000))
        assert client.response().status == 400

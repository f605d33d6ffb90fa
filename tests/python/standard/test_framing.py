"""Where a request's body ends: RFC 9112 section 6. Two readings of a message are one too many.

Every refused message is followed by a request that would be answered if the server, or a proxy
that read the message the other way, found its end elsewhere.
"""

import pytest
from standard.message import chunks, post, request
from standard.refusal import SMUGGLED, assert_refused

pytestmark = pytest.mark.wire


def framed(*lines, body=b"hello", version=b"HTTP/1.1"):
    """A POST to a route that would answer 200, framed by these header lines alone."""
    head = [b"POST /echo?name=framing " + version, b"Host: probe", *lines]
    return b"\r\n".join([*head, b"", b""]) + body


@pytest.mark.parametrize("length", [b"5", b"05", b"0000000000000000000000005", b"5 ", b"\t5\t"])
def test_content_length(probe, length):
    with probe.connect() as client:
        client.send(framed(b"Content-Length: " + length) + SMUGGLED)
        assert client.response().body == b"hello"
        assert client.response().body == b"ignored"


@pytest.mark.parametrize(
    "length",
    [
        b"", b" ", b"+5", b"-5", b"-0", b"5 5", b"5,5", b"5, 5", b"5, 6", b"5,", b",5", b"5;",
        b"5.0",
        b"0x5", b"5e0", b"1_0", b"5\x0b", b"\x0c5", b"five", b"'5'", b'"5"', b"5\xa0", b"\xb2",
        b"\xd9\xa5", b"\xef\xbc\x95", b"5 x", b"NaN", b"5L",
    ],
    ids=repr,
)  # fmt: skip
def test_malformed_content_length(probe, length):
    assert_refused(probe, framed(b"Content-Length: " + length), 400)


@pytest.mark.parametrize(
    "length",
    [b"9" * 19, b"18446744073709551616", b"18446744073709551621", b"9" * 100, b"4294967301"],
)
def test_content_length_past_every_bound(probe, length):
    """Numbers that wrap in 32 or 64 bits: 2**64 + 5 and 2**32 + 5 are no 5."""
    assert_refused(probe, framed(b"Content-Length: " + length), {400, 413})


@pytest.mark.parametrize("second", [b"5", b"6", b"0", b"05", b""])
def test_two_content_lengths(probe, second):
    first = b"Content-Length: 5"
    assert_refused(probe, framed(first, b"Content-Length: " + second), 400)
    assert_refused(probe, framed(first, b"X: y", b"CONTENT-LENGTH: " + second), 400)


@pytest.mark.parametrize("length", [b"0", b"5", b"100", b"x"])
@pytest.mark.parametrize("coding", [b"chunked", b"Chunked", b"identity", b"gzip, chunked", b""])
def test_content_length_with_transfer_encoding(probe, length, coding):
    lines = [b"Content-Length: " + length, b"Transfer-Encoding: " + coding]
    body = chunks(b"hello", 5)
    assert_refused(probe, framed(*lines, body=body), {400, 501})
    assert_refused(probe, framed(*reversed(lines), body=body), {400, 501})


@pytest.mark.parametrize(
    "coding", [b"chunked", b"Chunked", b"CHUNKED", b"\tchunked", b"chunked \t"]
)
def test_chunked(probe, coding):
    with probe.connect() as client:
        client.send(framed(b"Transfer-Encoding:" + coding, body=chunks(b"hello", 2)) + SMUGGLED)
        assert client.response().body == b"hello"
        assert client.response().body == b"ignored"


@pytest.mark.parametrize(
    "coding",
    [
        b"", b" ", b"identity", b"gzip", b"deflate", b"chunked, identity", b"chunked, gzip",
        b"identity, chunked", b"gzip, chunked", b"chunked, chunked", b"chunked,chunked",
        b"xchunked",
        b"chunkedx", b"x chunked", b"chunked x", b"chunked;q=1", b"chunked; a=b", b'"chunked"',
        b"'chunked'",
        b"chun ked", b"chunke", b"chunkeds", b"cow", b"chunked\x0b", b"\x0bchunked", b"\x0cchunked",
        b"chunked\xa0", b"\xa0chunked", b"chunked,", b"nothing;chunked", b"0", b"chunk",
        b"[chunked]",
        b"\xc4\x8bhunked", b"\xef\xbd\x83hunked", b"chun\xc5\xbfed", b"chun\xe2\x84\xaaed",
    ],
    ids=repr,
)  # fmt: skip
def test_other_transfer_encodings(probe, coding):
    """The last two hold letters that become `s` and `k` under Unicode's case folding."""
    if coding == b"chunked,":
        # RFC 9110 section 5.6.1.2 lets a recipient ignore an empty list element.
        return assert_one_reading(probe, coding)
    assert_refused(
        probe, framed(b"Transfer-Encoding: " + coding, body=chunks(b"hello", 5)), {400, 501}
    )


def assert_one_reading(probe, coding):
    with probe.connect() as client:
        client.send(framed(b"Transfer-Encoding: " + coding, body=chunks(b"hello", 5)))
        answer = client.response()
        assert answer.status in (400, 501) or answer.body == b"hello"


@pytest.mark.parametrize(
    "coding", [b"gzip", b"deflate", b"compress", b"identity", b"gzip, chunked"]
)
def test_unknown_coding_is_not_implemented(probe, coding):
    """RFC 9112 section 6.1: a coding that the server does not understand is answered 501."""
    answer = assert_refused(
        probe, framed(b"Transfer-Encoding: " + coding, body=chunks(b"hello", 5)), {400, 501}
    )
    if coding == b"gzip, chunked":
        assert answer.status == 501


@pytest.mark.parametrize(
    "lines",
    [
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"X: y", b"transfer-encoding: cow"],
        [b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding:", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding : chunked"],
        [b"Transfer-Encoding\t: chunked"],
        [b" Transfer-Encoding: chunked"],
        [b"Transfer-Encoding", b" : chunked"],
        [b"Transfer-Encoding:", b" chunked"],
        [b"X: y", b"\tTransfer-Encoding: chunked"],
        [b"X: y\rTransfer-Encoding: chunked"],
        [b"X: y\nTransfer-Encoding: chunked"],
        [b"X: y\n\rTransfer-Encoding: chunked"],
        [b"\x00Transfer-Encoding: chunked"],
        [b"Transfer-Encoding\x00: chunked"],
        [b"Transfer-Encoding: chunked\x00"],
        [b"Transfer-Encoding: \x00chunked"],
        [b"Transfer\rEncoding: chunked"],
        [b"Transfer Encoding: chunked"],
        [b"Transfer-Encoding\xff: chunked"],
        [b"Transfer-Encoding: chunked\r"],
        [b"Content-Length: 5", b"Transfer-Encoding : chunked"],
        [b"Content-Length : 5"],
        [b"Content-Length\x00: 5"],
        [b"Content-Length: 5\x00"],
        [b"Content Length: 5"],
        [b"Content-Length: 5\r"],
        [b"Content-Length: 5\n Transfer-Encoding: chunked"],
        [b"X: y", b" Content-Length: 5"],
    ],
    ids=repr,
)
def test_disguised_framing(probe, lines):
    assert_refused(probe, framed(*lines, body=chunks(b"hello", 5)), {400, 501})


def test_transfer_encoding_in_http_1_0(probe):
    """RFC 9112 section 6.1: such a message is faulty; a proxy of that age reads on to the end."""
    assert_refused(
        probe,
        framed(b"Transfer-Encoding: chunked", body=chunks(b"hello", 5), version=b"HTTP/1.0"),
        {400, 501},
    )


def test_refused_before_the_application(probe, name):
    """A message that is refused never reaches it, whatever would have been its body."""
    target = f"/echo?name={name}"
    twice = (("Content-Length", "5"), ("Content-Length", "5"))
    for headers in twice, (("Content-Length", "5"), ("Transfer-Encoding", "chunked")):
        assert_refused(probe, request(target, "POST", headers, b"hello"), 400)
    assert probe.journal(name) == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "PROPFIND"])
def test_any_method_can_have_a_body(probe, method):
    """The body of a GET is no request, even if it looks like one."""
    with probe.connect() as client:
        client.send(request("/ignore", method, body=SMUGGLED) + request("/"))
        assert client.response(method).status == 200
        assert client.response().body == b"hello"


def test_no_framing_is_no_body(probe):
    """RFC 9112 section 6.3, item 7: a request without either header has none."""
    with probe.connect() as client:
        client.send(request("/echo", "POST") + request("/echo", "PUT") + request("/"))
        assert [client.response().body for _ in range(3)] == [b"", b"", b"hello"]


def test_body_not_read_is_not_a_request(probe):
    for body in b"x" * 10, b"x" * 70000, SMUGGLED, SMUGGLED * 2000:
        with probe.connect() as client:
            client.send(post("/ignore", body) + request("/"))
            assert client.response().body == b"ignored"
            assert client.response().body == b"hello"


@pytest.mark.parametrize(
    "headers", [(("Content-Length", "10"),), (("Transfer-Encoding", "chunked"),)]
)
@pytest.mark.parametrize("sent", [b"", b"5\r\nhell", b"5\r\nhello\r\n"])
def test_body_cut_short(probe, name, headers, sent):
    """Its sender stopped: the application must not take the part for the whole."""
    with probe.connect() as client:
        client.send(request(f"/echo?name={name}", "POST", headers, sent[:9]))
        client.half_close()
        assert client.response().status == 400
        assert client.read_to_end() == b""
    assert probe.journal(name) == []


def test_head_cut_short(probe):
    """Half a head and the end: 400 or nothing, but no answer as if it were a request."""
    whole = request("/environ", headers=[("X", "y")])
    for cut in range(1, len(whole)):
        with probe.connect() as client:
            client.send(whole[:cut])
            client.half_close()
            answer = client.read_to_end()
            assert answer == b"" or answer.startswith(b"HTTP/1.1 400 "), (cut, answer)

"""Header fields of a request: RFC 9110 section 5, RFC 9112 section 5, and Host."""

import json

import pytest
from standard.message import request
from standard.refusal import assert_refused


def seen_by_application(probe, *lines, version=b"HTTP/1.1"):
    answer = probe.request(b"\r\n".join([b"GET /environ " + version, *lines, b"", b""]))
    assert answer.status == 200, answer
    return {key: value for key, (_, value) in json.loads(answer.body)["values"].items()}


@pytest.mark.wire
@pytest.mark.parametrize(
    "lines",
    [
        b"Name : value\r\n",
        b"Name\t: value\r\n",
        b"Na me: value\r\n",
        b" Name: value\r\n",
        b"Host: again\r\n Name: value\r\n",
        b"Name: value\r\n folded\r\n",
        b"Name: value\r\n\tfolded\r\n",
        b"Name: value\r\n \r\n",
        b"Name:\r\n folded\r\n",
        b": value\r\n",
        b":\r\n",
        b"Name\r\n",
        b"Name value\r\n",
        b"Na\x00me: value\r\n",
        b"Na\xefme: value\r\n",
        b"Na(me): value\r\n",
        b"Na/me: value\r\n",
        b'"Name": value\r\n',
        b"Name: va\x00lue\r\n",
        b"Name: va\rlue\r\n",
        b"Name: value\r\r\n",
        b"Na\rme: value\r\n",
        b"\rName: value\r\n",
        b"Name: value\nOther: value\r\n",
        b"Name: va\nlue\r\n",
        b"Name: va\x01lue\r\n",
        b"Name: va\x0blue\r\n",
        b"Name: va\x1blue\r\n",
        b"Name: va\x7flue\r\n",
    ],
    ids=repr,
)
def test_malformed_header(probe, lines):
    assert_refused(probe, b"GET / HTTP/1.1\r\nHost: probe\r\n" + lines + b"\r\n", 400)
    if not lines.startswith(b"Host"):
        assert_refused(probe, b"GET / HTTP/1.1\r\n" + lines + b"Host: probe\r\n\r\n", 400)


@pytest.mark.wire
@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\nHost: probe\n\n",
        b"GET / HTTP/1.1\nHost: probe\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: probe\n\r\n",
        b"GET / HTTP/1.1\r\nHost: probe\n\n",
        b"GET / HTTP/1.1\r\nHost: probe\r\n\n",
        b"GET / HTTP/1.1\rHost: probe\r\r",
        b"GET / HTTP/1.1\rHost: probe\r\n\r\n",
    ],
    ids=repr,
)
def test_line_ends_other_than_crlf(probe, head):
    # What follows ends with a blank line, so that a server that waits for one has it.
    assert_refused(probe, head, 400)


def test_empty_host_names_nobody(probe):
    """RFC 9110 section 7.2: a target without authority is sent with an empty Host."""
    assert seen_by_application(probe, b"Host:")["HTTP_HOST"] == ""


@pytest.mark.wire
@pytest.mark.parametrize(
    "lines",
    [
        b"",
        b"X-Host: probe\r\n",
        b"Host: probe\r\nHost: probe\r\n",
        b"Host: probe\r\nHost: other\r\n",
        b"Host: probe\r\nX: y\r\nhOST: probe\r\n",
    ],
    ids=repr,
)
def test_host_missing_or_repeated(probe, lines):
    assert_refused(probe, b"GET / HTTP/1.1\r\n" + lines + b"\r\n", 400)


@pytest.mark.wire
def test_repeated_host_in_http_1_0(probe):
    assert_refused(probe, b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400)


@pytest.mark.wire
@pytest.mark.parametrize(
    "host",
    [
        b"a b",
        b"a/b",
        b"a, b",
        b"a@b",
        b"a:b",
        b"a:80:80",
        b"a:-1",
        b"a?b",
        b"a#b",
        b"[::1",
        b"::1]",
        b"a\\b",
        b"<a>",
        b"http://a",
        b'"a"',
        b"a\tb",
    ],
    ids=repr,
)
def test_malformed_host(probe, host):
    """RFC 9112 section 3.2: a Host with an invalid value must be answered 400."""
    assert_refused(probe, b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", 400)


@pytest.mark.parametrize(
    "host",
    ["a", "a.b.example", "a:80", "a:", "127.0.0.1:8000", "[::1]", "[::1]:80", "x_y-z~1", "A%41"],
)
def test_well_formed_host(probe, host):
    assert seen_by_application(probe, b"Host: " + host.encode())["HTTP_HOST"] == host


@pytest.mark.wire
def test_http_1_0_needs_no_host(probe):
    seen = seen_by_application(probe, version=b"HTTP/1.0")
    assert "HTTP_HOST" not in seen


@pytest.mark.parametrize(
    "line, key, value",
    [
        (b"X-One: 1", "HTTP_X_ONE", "1"),
        (b"x-one:1", "HTTP_X_ONE", "1"),
        (b"X-ONE:   1  ", "HTTP_X_ONE", "1"),
        (b"X-One:\t \t1\t \t", "HTTP_X_ONE", "1"),
        (b"X-One:", "HTTP_X_ONE", ""),
        (b"X-One:  \t ", "HTTP_X_ONE", ""),
        (b"X-One: a  b\tc", "HTTP_X_ONE", "a  b\tc"),
        (b"X-One: a: b", "HTTP_X_ONE", "a: b"),
        (b"X-One: :", "HTTP_X_ONE", ":"),
        (b"X-One: \xe9\xff\x80", "HTTP_X_ONE", "\xe9\xff\x80"),
        (b"X-One: \xc3\xa9", "HTTP_X_ONE", "\xc3\xa9"),
        (b'X-One: "a, b"', "HTTP_X_ONE", '"a, b"'),
        (b"1: digits", "HTTP_1", "digits"),
        (b"X!#$%&'*+.^`|~: all", "HTTP_X!#$%&'*+.^`|~", "all"),
        (b"Content-Type: text/x; a=b", "CONTENT_TYPE", "text/x; a=b"),
        (b"content-length: 0", "CONTENT_LENGTH", "0"),
    ],
    ids=repr,
)
def test_well_formed_header(probe, line, key, value):
    assert seen_by_application(probe, b"Host: probe", line)[key] == value


def test_repeated_headers_are_joined(probe):
    """RFC 9110 section 5.3; cookies by `; `, as RFC 6265 section 5.4 writes them."""
    seen = seen_by_application(
        probe, b"Host: probe", b"Accept: a", b"Cookie: c=1", b"ACCEPT: b", b"cookie: d=2",
        b"accept:", b"Accept: c, d",
    )  # fmt: skip
    assert seen["HTTP_ACCEPT"] == "a, b, , c, d"
    assert seen["HTTP_COOKIE"] == "c=1; d=2"


def test_names_with_underscore_are_dropped(probe):
    """`X_User` and `X-User` have the same key: a proxy that strips one lets the other through."""
    seen = seen_by_application(
        probe, b"Host: probe", b"X_User: forged", b"X-Real: yes", b"X_Real: forged", b"_: forged"
    )
    assert seen["HTTP_X_REAL"] == "yes"
    assert "HTTP_X_USER" not in seen
    assert "forged" not in map(str, seen.values())


def test_underscores_do_not_frame(probe):
    """Neither does a dropped name count as the field it looks like."""
    with probe.connect() as client:
        client.send(
            b"GET /environ HTTP/1.1\r\nHost: probe\r\nContent_Length: 30\r\n"
            b"Transfer_Encoding: chunked\r\n\r\n" + request("/")
        )
        seen = json.loads(client.response().body)["values"]
        assert "CONTENT_LENGTH" not in seen and "HTTP_TRANSFER_ENCODING" not in seen
        assert client.response().body == b"hello"


def test_many_headers_arrive_whole(probe):
    lines = [b"X-%d: %s" % (number, b"v" * number) for number in range(100)]
    seen = seen_by_application(probe, b"Host: probe", *lines)
    assert all(seen["HTTP_X_%d" % number] == "v" * number for number in range(100))


def test_a_long_value_arrives_whole(probe):
    seen = seen_by_application(probe, b"Host: probe", b"X-Long: " + b"abcdefgh" * 6000)
    assert seen["HTTP_X_LONG"] == "abcdefgh" * 6000

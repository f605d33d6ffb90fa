"""The request line: RFC 9112 section 3, and which targets and versions are served."""

import json

import pytest
from standard.message import request
from standard.refusal import assert_refused


def environ_of(answer):
    assert answer.status == 200, answer
    return {key: value for key, (_, value) in json.loads(answer.body)["values"].items()}


@pytest.mark.wire
@pytest.mark.parametrize(
    "line",
    [
        b"GET",
        b"GET ",
        b"GET /",
        b"GET / ",
        b"GET  / HTTP/1.1",
        b"GET /  HTTP/1.1",
        b"GET\t/\tHTTP/1.1",
        b" GET / HTTP/1.1",
        b"\tGET / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET / HTTP/1.1\t",
        b"GET / HTTP/1.1 extra",
        b"GET /a b HTTP/1.1",
        b"GET /\x00 HTTP/1.1",
        b"GET /\r HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET /\x1f HTTP/1.1",
        b"GET\x00 / HTTP/1.1",
        b"GET / HTTP/1.1\r",
        b"GE(T / HTTP/1.1",
        b"G@T / HTTP/1.1",
        b"GET: / HTTP/1.1",
        b"G\xc3\x89T / HTTP/1.1",
        b" / HTTP/1.1",
        b"/ HTTP/1.1",
        b"GET HTTP/1.1",
        b"GET / http/1.1",
        b"GET / HTTP",
        b"GET / HTTP/",
        b"GET / HTTP/1",
        b"GET / HTTP/1.",
        b"GET / HTTP/.1",
        b"GET / HTTP/1.1.1",
        b"GET / HTTP/1.10",
        b"GET / HTTP/11.1",
        b"GET / HTTP/1,1",
        b"GET / HTTP/a.b",
        b"GET / HTTP/1.x",
        b"GET / HTTP/-1.1",
        b"GET / HTTP/ 1.1",
        b"GET / HTTP /1.1",
        b"GET / HTTPS/1.1",
        b"GET / ICY/1.1",
        b"GET / xHTTP/1.1",
        b"GET path HTTP/1.1",
        b"GET ?query HTTP/1.1",
        b"GET * HTTP/1.1",
        b"GET *x HTTP/1.1",
        b"OPTIONS *x HTTP/1.1",
        b"GET \\ HTTP/1.1",
        b"GET http: HTTP/1.1",
        b"GET http:/ HTTP/1.1",
        b"GET http:// HTTP/1.1",
        b"GET http:///path HTTP/1.1",
        b"GET probe:80 HTTP/1.1",
    ],
    ids=repr,
)
def test_malformed_request_line(probe, line):
    assert_refused(probe, line + b"\r\nHost: probe\r\n\r\n", 400)


@pytest.mark.wire
def test_connect_is_not_served(probe):
    assert_refused(probe, request("probe:80", "CONNECT"), {400, 405, 501})


@pytest.mark.wire
@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/3.0", "HTTP/9.9"])
def test_other_major_version(probe, version):
    assert_refused(probe, request(version=version), 505)


@pytest.mark.wire
def test_http_0_9_is_not_served(probe):
    assert_refused(probe, request(version="HTTP/0.9"), {400, 505})
    assert_refused(probe, b"GET /\r\n\r\n", 400)


@pytest.mark.wire
def test_the_preface_of_http2_is_refused(probe):
    assert_refused(probe, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}, follow=b"")


@pytest.mark.wire
def test_a_tls_greeting_is_refused(probe):
    """A client that speaks TLS to the plain port gets its end soon, not a wait for a head."""
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)) + b"\r\n\r\n"
    with probe.connect() as client:
        client.send(hello)
        assert client.response().status == 400
        assert client.read_to_end() == b""


@pytest.mark.wire
def test_higher_minor_version_is_served_as_1_1(probe):
    """RFC 9110 section 2.5: the highest minor version that the recipient knows is meant."""
    answer = probe.request(request("/environ", version="HTTP/1.2"))
    assert (answer.status, answer.version) == (200, "HTTP/1.1")
    assert answer.header("Connection") is None


@pytest.mark.wire
@pytest.mark.parametrize(
    "method",
    ["GET", "POST", "PUT", "DELETE", "PATCH", "PROPFIND", "M-SEARCH", "get", "!#$%&'*+-.^_`|~09"],
)
def test_any_token_is_a_method(probe, method):
    seen = environ_of(probe.request(request("/environ", method)))
    assert seen["REQUEST_METHOD"] == method


@pytest.mark.wire
def test_options_reaches_the_application(probe):
    """Programs answer it themselves: cross-origin requests need that."""
    assert environ_of(probe.request(request("/environ", "OPTIONS")))["REQUEST_METHOD"] == "OPTIONS"


@pytest.mark.wire
def test_options_asterisk(probe):
    with probe.connect() as client:
        client.send(request("*", "OPTIONS") + request("/"))
        assert client.response().status in (200, 204, 404)
        assert client.response().body == b"hello"


@pytest.mark.parametrize(
    "target, path, query, host",
    [
        ("http://other:81/environ/x?q=1", "/environ/x", "q=1", "other:81"),
        ("http://other/environ", "/environ", "", "other"),
        ("HTTP://OTHER/environ?", "/environ", "", "OTHER"),
        ("http://[::1]:81/environ", "/environ", "", "[::1]:81"),
        ("http://other/environ/http://third/", "/environ/http://third/", "", "other"),
    ],
)
def test_absolute_form(probe, target, path, query, host):
    """RFC 9112 section 3.2.2: the target's authority replaces the Host field."""
    seen = environ_of(probe.request(request(target, host="ignored")))
    assert (seen["PATH_INFO"], seen["QUERY_STRING"], seen["HTTP_HOST"]) == (path, query, host)


def test_absolute_form_without_path(probe):
    assert probe.request(request("http://other")).body == b"hello"
    assert probe.request(request("http://other?q")).body == b"hello"


@pytest.mark.wire
def test_absolute_form_still_needs_host(probe):
    assert_refused(probe, request("http://other/", host=None), 400)


@pytest.mark.parametrize(
    "target, path, query",
    [
        ("/environ//a//b", "/environ//a//b", ""),
        ("/environ/./../x", "/environ/./../x", ""),
        ("/environ/a?b?c", "/environ/a", "b?c"),
        ("/environ?", "/environ", ""),
        ("/environ?a=%20+&b", "/environ", "a=%20+&b"),
        ("/environ/%41%2f%2F%3f", "/environ/A//?", ""),
        ("/environ/%2541", "/environ/%41", ""),
        ("/environ/a+b", "/environ/a+b", ""),
        ("/environ/%C3%A9", "/environ/\u00c3\u00a9", ""),
        ("/environ/%0d%0a%09", "/environ/\r\n\t", ""),
        ("/environ/;p=1,2", "/environ/;p=1,2", ""),
        ("/environ/~!$&'()*+,;=:@-._", "/environ/~!$&'()*+,;=:@-._", ""),
        ("/environ?/http://a/?@:", "/environ", "/http://a/?@:"),
    ],
)
def test_origin_form(probe, target, path, query):
    seen = environ_of(probe.request(request(target)))
    assert (seen["PATH_INFO"], seen["QUERY_STRING"]) == (path, query)


@pytest.mark.wire
def test_blank_line_before_the_request_line(probe):
    """RFC 9112 section 2.2: at least one empty line there should be ignored."""
    with probe.connect() as client:
        client.send(b"\r\n" + request("/"))
        assert client.response().body == b"hello"
        client.send(b"\r\n" + request("/"))
        assert client.response().body == b"hello"


@pytest.mark.wire
def test_every_cut_of_a_head(probe):
    """The head arrives in two pieces, cut at each of its bytes in turn."""
    whole = request("/environ?cut", "PUT", [("X-Long", "v" * 40), ("Cookie", "a=b")])
    for cut in range(1, len(whole)):
        with probe.connect() as client:
            client.send(whole[:cut])
            client.send(whole[cut:])
            assert environ_of(client.response())["HTTP_X_LONG"] == "v" * 40


@pytest.mark.wire
def test_a_head_byte_by_byte(probe):
    with probe.connect() as client:
        for byte in request("/environ?bytes", headers=[("X-Drip", "yes")]):
            client.send(bytes([byte]))
        assert environ_of(client.response())["HTTP_X_DRIP"] == "yes"

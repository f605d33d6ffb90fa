"""What the application finds in environ, on every interpreter.

The differential test holds the whole of it to the original; here the specification's words are
held on Python 3 too, where native strings are text in latin-1.
"""

import pytest
from legacy.recording import Program
from legacy.wire import exchange

FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture(scope="module")
def reporter(site, tmp_path_factory):
    """One server for all tests of this file."""
    program = Program(site, "reporter.py", "stock", folder=tmp_path_factory.mktemp("reporter"))
    yield program.start()
    program.stop().check()


class Seen:
    """The environ of one call: values by key, without their types, and the types by key."""

    def __init__(self, record):
        self.values = {key: value for key, (_, value) in record["environ"]}
        self.types = {key: kind for key, (kind, _) in record["environ"]}
        self.input = record["input"][1]
        self.type = record["type"]

    def __getitem__(self, key):
        return self.values[key]

    def params(self):
        """fapws.params as a dict of lists of text."""
        return {key[1]: [item[1] for item in value[1]] for key, value in self["fapws.params"]}


@pytest.fixture
def see(reporter):
    """`see(bytes)` sends a request and returns what the application saw of it, or None."""

    def send(request, **options):
        reporter.read_records()
        send.answer = exchange(reporter.address, [request], **options)
        # A second request: what the first one made the application report is in the file by then.
        reporter.exchange(b"GET /settle HTTP/1.0\r\n\r\n")
        calls = [record for record in reporter.read_records() if record["kind"] == "call"]
        assert len(calls) <= 1
        return Seen(calls[0]) if calls else None

    return send


def test_a_get(reporter, see):
    seen = see(
        b"GET /echo/a%20b+c?x=1&y=%41+b&x=2 HTTP/1.1\r\nHost: example.org\r\nX-A:  1 \r\n"
        b"x-lower: l\r\nContent-Type: t\r\nX-E:\r\nX-A2: 1\r\nX-A2: 2\r\n\r\n"
    )
    values = dict(seen.values)
    assert values.pop("fapws.remote_port") == str(see.answer.client_port)
    assert int(values.pop("fapws.socket_fd")) > 2
    for key in ("wsgi.errors", "wsgi.input", "fapws.params"):
        del values[key]
    assert seen.params() == {"x": ["1", "2"], "y": ["A b"]}
    assert seen.input == ""
    assert values == {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "/echo",
        "PATH_INFO": "/a b c",
        "QUERY_STRING": "x=1&y=%41+b&x=2",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "0",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "example.org",
        "HTTP_X_A": "1 ",
        "HTTP_X_LOWER": "l",
        "HTTP_CONTENT_TYPE": "t",
        "HTTP_X_E": "",
        "HTTP_X_A2": "2",
        "fapws.uri": "/echo/a%20b+c?x=1&y=%41+b&x=2",
        "fapws.major_minor": "1.1",
        "fapws.raw_header": (
            "GET /echo/a%20b+c?x=1&y=%41+b&x=2 HTTP/1.1\r\nHost: example.org\r\nX-A:  1 \r\n"
            "x-lower: l\r\nContent-Type: t\r\nX-E:\r\nX-A2: 1\r\nX-A2: 2\r\n\r\n"
        ),
        "fapws.remote_addr": "127.0.0.1",
        "wsgi.version": [["int", "1"], ["int", "0"]],
        "wsgi.url_scheme": "HTTP",
        "wsgi.multithread": "False",
        "wsgi.multiprocess": "True",
        "wsgi.run_once": "False",
    }
    assert seen.type == "Environ"
    assert seen.types["fapws.socket_fd"] == ("long" if reporter.site.major == 2 else "int")
    no_text = set("remote_port socket_fd params".split()) | set(
        "version multithread multiprocess run_once errors input".split()
    )
    kinds = {kind for key, kind in seen.types.items() if key.partition(".")[2] not in no_text}
    assert kinds == {"str"}


def test_a_form(see):
    seen = see(
        b"POST /echo?q=1 HTTP/1.0\r\nContent-Length: 14\r\n" + FORM + b"\r\na=1&b=%26+&a=2more"
    )
    assert seen.params() == {"a": ["1", "2"], "b": ["& "]}
    assert (seen["CONTENT_LENGTH"], seen.types["CONTENT_LENGTH"]) == ("14", "int")
    assert seen["CONTENT_TYPE"] == "application/x-www-form-urlencoded"
    assert seen.input == "a=1&b=%26+&a=2"
    assert seen["QUERY_STRING"] == "q=1"


def test_a_post_without_a_type(see):
    seen = see(b"POST /echo HTTP/1.0\r\nContent-Length: 3\r\n\r\na=1")
    assert (seen["CONTENT_TYPE"], seen.params(), seen.input) == ("None", {}, "a=1")


@pytest.mark.parametrize("name", [b"content-length", b"CONTENT-LENGTH", b"Content-length"])
def test_the_length_is_found_in_any_case(see, name):
    seen = see(b"POST /echo HTTP/1.1\r\n" + name + b": 4\r\n\r\nabcd")
    assert (seen.input, seen["CONTENT_LENGTH"]) == ("abcd", "4")


def test_a_binary_body_is_kept_to_the_byte(see):
    body = bytes(range(256)) * 300
    seen = see(b"POST /echo HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert seen.input.encode("latin-1") == body


@pytest.mark.parametrize("method", [b"GET", b"PUT", b"HEAD"])
def test_only_post_has_a_body(see, method):
    seen = see(method + b" /echo HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd")
    if method == b"PUT":
        assert seen is None
        assert see.answer.data.startswith(b"HTTP/1.0 501 Not Implemented\r\n")
    else:
        assert seen.input == ""
        assert "CONTENT_LENGTH" not in seen.values
        assert seen["HTTP_CONTENT_LENGTH"] == "4"


@pytest.mark.parametrize(
    "data",
    [
        b"POST /echo HTTP/1.1\r\nContent-Length: 4\r\n\r\nabc",
        b"POST /echo HTTP/1.1\r\nContent-Length: 4\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nContent-Length: 4\r\n",
        b"POST /echo HTTP/1.1\r\nContent-Le",
        b"GET /echo HTTP/1.1\r\nHost: h\r\n",
        b"GET /echo HTTP/1.1\r\n",
        b"GET /echo HTTP/1.1",
        b"GET /echo",
        b"GET",
        b"",
    ],
    ids=repr,
)
def test_what_was_cut_short_is_no_request(see, data):
    assert see(data, half_close=True) is None
    assert not see.answer.data.startswith(b"HTTP/1.0 200")


def test_the_first_prefix_in_order_wins(see):
    assert see(b"GET /echoes/x?y HTTP/1.0\r\n\r\n")["SCRIPT_NAME"] == "/echo"
    assert see(b"GET /echoes/x?y HTTP/1.0\r\n\r\n")["PATH_INFO"] == "es/x"
    assert see(b"GET /ech/x HTTP/1.0\r\n\r\n")["SCRIPT_NAME"] == "/ech"
    assert see(b"GET /%65cho HTTP/1.0\r\n\r\n") is None
    assert b"<p>Page not found!!!</p>" in see.answer.data


def test_a_prefix_may_reach_into_the_query(see):
    seen = see(b"GET /que?stion/x?y=1 HTTP/1.0\r\n\r\n")
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("/que?stion", "/x")
    assert (seen["QUERY_STRING"], seen.params()) == ("y=1", {"y": ["1"]})


def test_header_lines_are_read_leniently(see):
    seen = see(
        b"\r\n\r\nGET /echo HTTP/1.1\r\nBad\nkey: V\r\nX-Bytes: caf\xe9\r\nX-Colons: a:b::c\r\n"
        b"X-Line: a\nb\r\nno colon here\r\nX-After: not seen\r\n\r\n"
    )
    assert seen["HTTP_BAD\nKEY"] == "V"
    assert seen["HTTP_X_BYTES"] == "caf\xe9"
    assert seen["HTTP_X_COLONS"] == "a:b::c"
    assert seen["HTTP_X_LINE"] == "a\nb"
    assert "HTTP_X_AFTER" not in seen.values

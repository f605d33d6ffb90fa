"""fapws.contrib.log: one line a request, whatever the request."""

import io
import os
import re
import subprocess
import sys

import pytest
from fapws.contrib.log import Log

PATTERN = re.compile(
    r'(?P<client>\S+) (?P<host>\S+) - \[\d\d/\w+/\d{4}:\d\d:\d\d:\d\d GMT\] "(?P<request>.*)" '
    r'(?P<status>\S+) (?P<size>\S+) "(?P<referer>.*)" "(?P<agent>.*)"\n\Z'
)


class Output(object):
    """A file that keeps what is written, and counts the flushes."""

    def __init__(self):
        self.text = ""
        self.flushed = 0

    def write(self, text):
        assert type(text) is str
        self.text += text

    def flush(self):
        self.flushed += 1


def logged(application, environ, start_response=None):
    """The parts of the line for a request, and what the decorated application returned."""
    output = Output()

    def default_start(status, headers):
        pass

    result = Log(output)(application)(environ, start_response or default_start)
    assert output.flushed == 1
    return PATTERN.match(output.text).groupdict(), result


def hello(environ, start_response):
    start_response("200 OK", [])
    return [b"hello", b" ", b"world"]


def test_the_line(ask, dialect):
    output = Output()
    answer = ask(
        Log(output)(hello),
        dialect,
        HTTP_HOST="here",
        HTTP_REFERER="http://there/",
        HTTP_USER_AGENT="agent 1",
        **{"fapws.uri": "/a?b"}
    )
    assert answer.body == b"hello world"
    protocol = "HTTP" if dialect == "legacy" else "HTTP/1.1"
    assert PATTERN.match(output.text).groupdict() == {
        "client": "10.0.0.1",
        "host": "here",
        "request": "GET /a?b " + protocol,
        # Another server's start_response tells no status.
        "status": "200" if dialect == "legacy" else "-",
        "size": "11",
        "referer": "http://there/",
        "agent": "agent 1",
    }


def test_nothing_need_be_there():
    line, result = logged(lambda environ, start_response: [], {})
    assert result == []
    assert line == {
        "client": "-",
        "host": "-",
        "request": "- - -",
        "status": "-",
        "size": "0",
        "referer": "-",
        "agent": "-",
    }


def test_the_proxy_tells_the_client(environ):
    line, _ = logged(hello, environ("legacy", HTTP_X_FORWARDED_FOR="192.0.2.1"))
    assert line["client"] == "192.0.2.1"


def test_the_target_is_put_together_where_the_server_does_not_tell_it(environ):
    line, _ = logged(hello, environ("standard", SCRIPT_NAME="/s", PATH_INFO="/p", QUERY_STRING="q"))
    assert line["request"] == "GET /s/p?q HTTP/1.1"


def test_a_header_cannot_forge_a_line(environ):
    agent = '"\n10.0.0.2 - \\ \xe9'
    line, _ = logged(hello, environ("standard", HTTP_USER_AGENT=agent))
    assert line["agent"] == r"\"\x0a10.0.0.2 - \\ \xe9"


@pytest.mark.parametrize(
    "result, size",
    [
        ([], "0"),
        ([b"ab", u"\xe9", bytearray(b"c"), None], "5"),
        ((b"ab", b"c"), "3"),
        (iter([b"ab"]), "-"),
        (io.BytesIO(b"abc"), "-"),
        (None, "-"),
    ],
)
def test_the_size(result, size):
    line, returned = logged(lambda environ, start_response: result, {})
    assert line["size"] == size
    assert returned is result


def test_the_size_of_a_file_is_what_is_left_of_it(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with io.open(str(path), "rb") as source:
        source.seek(4)
        line, _ = logged(lambda environ, start_response: source, {})
    assert line["size"] == "6"


def test_a_log_that_cannot_be_written_costs_no_response():
    class Full(Output):
        def write(self, text):
            raise IOError(28, "No space left on device")

    closed = open(os.devnull, "w")
    closed.close()
    for output in (Full(), closed):
        assert Log(output)(lambda environ, start_response: [b"a"])({}, None) == [b"a"]


def test_stdout_is_the_default():
    program = "from fapws.contrib.log import Log; Log()(lambda environ, start: [])({}, None)"
    line = subprocess.check_output([sys.executable, "-c", program])
    assert PATTERN.match(line.decode("ascii"))

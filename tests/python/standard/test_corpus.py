"""Every request of tests/corpus through a real server, whole and in pieces.

The Rust tests hold the parser to the same files; here the connection around it is held to them:
that what stands between two requests is not lost, and that a refusal is answered and ends it.
"""

import json
import urllib.parse

import pytest
from standard.corpus import cases
from standard.probe import shared

pytestmark = pytest.mark.wire

#: Sizes of the pieces a file is cut into; None is the whole. What would take too many is left out.
PIECES = [None, 1, 7, 1000]
MOST_PIECES = 1500


@pytest.fixture(scope="module")
def mirror(interpreter, tmp_path_factory):
    """A server whose application answers with what it saw."""
    with shared(interpreter, "mirror.py", tmp_path_factory) as server:
        yield server


@pytest.mark.parametrize("case", cases(), ids=repr)
def test_case(mirror, case):
    for size in PIECES:
        if size is None:
            pieces = [case.sent]
        elif len(case.sent) > size * MOST_PIECES:
            continue
        else:
            pieces = [case.sent[start : start + size] for start in range(0, len(case.sent), size)]
        exchange(mirror, case, pieces)


def exchange(mirror, case, pieces):
    with mirror.connect() as client:
        try:
            client.send(*pieces)
        except (BrokenPipeError, ConnectionResetError):
            # A refusal may come before the rest is sent; what was answered must still be there.
            assert case.expected[-1].status is not None
        client.half_close()
        closes = False
        for expected in case.expected:
            method = expected.lines.get("method", "GET")
            if expected.lines.get("at") == "end-of-input" and not client.is_answered():
                # Half a head may be dropped without a word (RFC 9112 section 8).
                return
            answer = client.response(method)
            if "expects" in expected.lines and answer.status == 100:
                answer = client.response(method)
            if expected.status is not None:
                assert answer.status == expected.status
                assert answer.header("Connection") == "close"
                break
            assert answer.status == 200, answer
            if method != "HEAD" and expected.lines.get("path") != "*":
                compare(json.loads(answer.body), expected)
            closes = expected.lines["connection"] == "close"
            if expected.lines["version"] != "1.0":
                assert (answer.header("Connection") == "close") == closes
            if closes:
                break
        assert client.read_to_end() == b""


#: What concerns the connection alone, and was consumed with it (RFC 9110 section 7.6.1).
HOP_BY_HOP = {"HTTP_CONNECTION", "HTTP_EXPECT", "HTTP_TE", "HTTP_TRANSFER_ENCODING"}


def compare(seen, expected):
    lines = expected.lines
    assert seen["REQUEST_METHOD"] == lines["method"]
    assert seen["SERVER_PROTOCOL"] in ("HTTP/" + lines["version"], "HTTP/1.1")
    if "query" in lines:
        assert seen["QUERY_STRING"] == lines["query"]
    if "path" in lines:
        raw = lines["path"].encode("latin-1")
        assert seen["PATH_INFO"] == urllib.parse.unquote_to_bytes(raw).decode("latin-1")
    if "authority" in lines:
        assert seen["HTTP_HOST"] == lines["authority"]
    if "body-length" in lines:
        assert len(seen["body"]) == int(lines["body-length"])
    else:
        assert seen["body"] == lines.get("body", "")
    for key, value in environ_of(expected.fields).items():
        if key in HOP_BY_HOP:
            assert key not in seen, key
        elif key != "HTTP_HOST" or "authority" not in lines:
            assert seen[key] == value, key


def environ_of(fields):
    """The keys that these header lines make, repeated ones joined."""
    keys = {}
    for name, value in fields:
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "HTTP_" + key
        if key in keys:
            value = keys[key] + ("; " if key == "HTTP_COOKIE" else ", ") + value
        keys[key] = value
    return keys

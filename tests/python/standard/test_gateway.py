"""PEP 3333's calls between server and application: start_response, write, the result, close."""

import json

import pytest
from support.client import ProtocolError
from standard.message import plan, request, respond
from standard.probe import framing
from standard.refusal import assert_closing

HOP_BY_HOP = [
    "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailers",
    "Transfer-Encoding", "Upgrade",
]  # fmt: skip


def call(probe, **choices):
    """What one `start_response` call with these arguments raises, or `accepted`."""
    answer = probe.request(request(plan("/call", **choices)))
    return answer, answer.body.decode()


# The head


@pytest.mark.parametrize(
    "status", ["200 OK", "200 ", "404 Not Found", "599 A b c", "200 \u00e9t\u00e9"]
)
def test_a_status(probe, status):
    answer, outcome = call(probe, status=status)
    assert (outcome, answer.status, answer.reason) == ("accepted", int(status[:3]), status[4:])


@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "\r\nX: y", "\r\n\r\n", "\nX: y"])
@pytest.mark.parametrize("place", ["status", "name", "value"])
def test_response_splitting(probe, place, bad):
    """CR, LF or NUL would let a value pose as a header, or as another answer."""
    choices = {
        "status": {"status": f"200 O{bad}K"},
        "name": {"headers": [[f"X{bad}Y", "z"]]},
        "value": {"headers": [["X", f"y{bad}z"]]},
    }[place]
    answer, outcome = call(probe, **choices)
    assert outcome == "ValueError"
    assert answer.header("X") is None and answer.header("XY") is None


@pytest.mark.parametrize("bad", ["\r\n", "\r\n ", "\n\t", "X\r\n folded"])
def test_a_fold_is_splitting_too(probe, bad):
    _, outcome = call(probe, headers=[["X", bad]])
    assert outcome == "ValueError"


@pytest.mark.parametrize(
    "name", ["", "a b", "a:b", "a:", " a", "a ", "\u00e9", "a(b)", "a\tb", 'a"b']
)
def test_a_name_that_is_no_token(probe, name):
    answer, outcome = call(probe, headers=[[name, "x"]])
    assert outcome in ("ValueError", "AssertionError"), answer


@pytest.mark.parametrize("name", HOP_BY_HOP)
def test_hop_by_hop_headers_are_the_servers(probe, name):
    for spelled in name, name.lower(), name.upper():
        _, outcome = call(probe, headers=[[spelled, "x"]])
        assert outcome == "AssertionError"


@pytest.mark.parametrize(
    "status",
    ["", "2", "20", "abc", "2x0 OK", "20 OK", "2000 OK", "-20 OK", "OK 200", "099 Low",
     "\u0662\u0660\u0660 OK"],
)  # fmt: skip
def test_a_status_that_is_none(probe, status):
    """Refused, or at the least not sent as it is."""
    answer, outcome = call(probe, status=status)
    assert outcome in ("ValueError", "AssertionError", "UnicodeEncodeError", "TypeError"), answer


def test_a_status_without_reason(probe):
    """Common enough; the line must still have its blank after the code (RFC 9112 section 4)."""
    answer, outcome = call(probe, status="200")
    assert answer.status == 200
    assert answer.head.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "odd",
    ["status-none", "status-number", "headers-none", "headers-number", "headers-flat",
     "headers-single",
     "headers-triple", "name-number", "value-number", "value-none", "no-arguments", "one-argument",
     "many-arguments"],
)  # fmt: skip
def test_arguments_of_wrong_type(probe, odd):
    _, outcome = call(probe, odd=odd)
    assert outcome in ("TypeError", "ValueError", "AssertionError")


@pytest.mark.parametrize(
    "choices, words",
    [
        ({"odd": "value-number"}, ['the value of header "A"', "must be str, not int"]),
        ({"odd": "value-wide"}, ['the value of header "A"']),
        ({"odd": "name-number"}, ["a header's name must be str, not int"]),
        ({"odd": "status-number"}, ["the status must be str, not int"]),
        ({"headers": [["X-Long", "a\nb"]]}, ['header "X-Long"', "CR, LF"]),
        ({"headers": [["X\n" * 99, "a"]]}, ['header "X\\nX\\n', "token"]),
        ({"headers": [["Connection", "close"]]}, ['header "Connection"', "hop-by-hop"]),
        ({"headers": [["Content-Length", "x"]]}, ['header "Content-Length"', "one number"]),
    ],
)
def test_the_exception_says_what_is_wrong(probe, choices, words):
    _, message = call(probe, message=True, **choices)
    assert all(word in message for word in words) and len(message) < 300, message


def test_a_value_outside_latin_1(probe):
    _, outcome = call(probe, odd="value-wide")
    assert outcome in ("ValueError", "UnicodeEncodeError", "TypeError", "AssertionError")


@pytest.mark.parametrize("odd", ["status-bytes", "headers-dict", "keywords", "exc-info-odd"])
def test_arguments_that_may_be_taken(probe, odd):
    """Refused with an exception, or understood: never a broken answer."""
    answer, outcome = call(probe, odd=odd)
    assert answer.status == 200
    assert outcome in ("accepted", "TypeError", "ValueError", "AssertionError")


def test_a_second_call(probe):
    assert probe.request(request("/twice")).body == b"AssertionError"


def test_exc_info_replaces_the_head(probe):
    answer = probe.request(request("/replace"))
    assert (answer.status, answer.reason, answer.body) == (503, "Busy", b"replaced")
    assert answer.header("X-First") is None
    assert answer.header("X-Second") == "2"


def test_exc_info_after_empty_items(probe):
    """PEP 3333: the head goes out with the first byte of body, not before."""
    answer = probe.request(request("/replace-after-empty"))
    assert (answer.status, answer.body) == (503, b"replaced")


def test_exc_info_after_the_head_was_sent(probe, name):
    """The exception comes back to the application; the client sees an answer without its end."""
    with probe.connect() as client:
        client.send(request(f"/replace-too-late?{name}"))
        with pytest.raises(ProtocolError):
            client.response()
    assert probe.journal(name) == ["raised planned"]


def test_exc_info_after_write(probe):
    answer = probe.request(request("/replace-after-write"))
    assert (answer.status, answer.body) == (200, b"sent raised")


def test_start_response_called_by_the_first_item(probe):
    answer = probe.request(request(respond(start="late", items=["a", "b"], status="201 Created")))
    assert (answer.status, answer.body) == (201, b"ab")


@pytest.mark.parametrize("shape", ["list", "generator", "closing", "iterator", "empty-iterator"])
@pytest.mark.parametrize("items", [[], ["", ""], ["a", "b"]])
def test_start_response_never_called(probe, shape, items):
    answer = probe.request(request(respond(start="never", shape=shape, items=items)))
    assert answer.status == 500
    assert_closing(answer)


def test_write(probe):
    answer = probe.request(request("/write-many"))
    assert answer.body == b"".join(b"w%d " % number for number in range(1000)) + b"item1 item2"


def test_write_of_a_promised_length(probe):
    with probe.connect() as client:
        client.send(request("/write-exact") + request("/"))
        answer = client.response()
        assert (framing(answer), answer.body) == ("length", b"0123456789")
        assert client.response().body == b"hello"


@pytest.mark.parametrize("shape", ["list", "generator", "closing", "empty-iterator"])
def test_write_before_every_shape(probe, shape):
    target = respond(shape=shape, write=["one ", "", "two "], items=["three"])
    with probe.connect() as client:
        client.send(request(target) + request(target, version="HTTP/1.0"))
        expected = b"one two " if shape == "empty-iterator" else b"one two three"
        assert client.response().body == expected
        assert client.response().body == expected


def test_write_for_head_and_empty_statuses(probe):
    with probe.connect() as client:
        target = respond(shape="list", write=["text"])
        client.send(request(target, "HEAD") + request("/"))
        assert client.response("HEAD").status == 200
        assert client.response().body == b"hello"
        client.send(
            request(respond(shape="list", write=["t"], status="204 No Content")) + request("/")
        )
        assert client.response().status == 204
        assert client.response().body == b"hello"


def test_write_of_no_bytes(probe):
    answer = probe.request(request("/write-wrong"))
    assert answer.body in (b"TypeError", b"AssertionError")


def test_write_inside_a_generator(probe):
    """Forbidden by PEP 3333; then in order, or an error, but nothing lost in silence."""
    with probe.connect() as client:
        client.send(request("/write-from-generator"))
        try:
            body = client.response().body
        except ProtocolError:
            return
        assert body == b"abc"


def test_write_sends_at_once(probe, tmp_path):
    """The application blocks the server between two writes until the first was seen."""
    flag = tmp_path / "seen"
    with probe.connect() as client:
        client.send(request("/") + request(f"/write-steps?{flag}") + request("/"))
        assert client.response().body == b"hello"
        head = client.read_until(b"\r\n\r\n")
        assert b"Transfer-Encoding: chunked" in head
        assert client.read_until(b"one") == b"3\r\none"
        flag.touch()
        assert client.read_until(b"0\r\n\r\n") == b"\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"
        assert client.response().body == b"hello"


def test_write_past_the_promised_length(probe, name):
    with probe.connect() as client:
        client.send(request(f"/write-past?{name}") + request("/"))
        assert client.response().body == b"abc"
        assert client.response().body == b"hello"
    assert probe.journal(name) == ["AssertionError"]


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_write_then_failure(probe, version):
    """What was written has left: the answer visibly lacks its end."""
    with probe.connect() as client:
        client.send(request("/write-and-raise", version=version) + request("/"))
        assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK")
        if version == "HTTP/1.1":
            assert client.read_to_end() == b"4\r\nsent\r\n"
        else:
            # The end of the connection would be the end of the body.
            with pytest.raises(ConnectionResetError):
                client.read_to_end()
    assert probe.request(request("/")).body == b"hello"


def test_write_then_a_file_at_its_end(probe):
    with probe.connect() as client:
        client.send(request("/write-then-file") + request("/"))
        assert client.response().body == b"abc"
        assert client.response().body == b"hello"


def test_write_without_a_head(probe):
    with probe.connect() as client:
        client.send(request("/write-without-head"))
        assert client.response().status == 500


def test_wsgi_errors_in_the_place_of_stderr(serve_probe):
    probe = serve_probe("probe.py")
    assert probe.request(request("/errors-as-stderr")).body == b"told"
    assert probe.request(request(respond(fail="call"))).status == 500
    told = probe.stop().check().stderr
    assert told.count("through stderr\n") == told.count("through wsgi.errors\n") == 2


def test_write_for_head(probe):
    with probe.connect() as client:
        client.send(request("/write-many", "HEAD") + request("/"))
        assert client.response("HEAD").body == b""
        assert client.response().body == b"hello"


def test_what_is_no_exc_info(probe, name):
    """The interpreter would take such a tuple as it is, and crash later."""
    assert probe.request(request(f"/odd-exc-info?{name}")).body == b"sent"
    assert probe.journal(name) == ["TypeError"] * 5


def test_leftover_callables_reach_no_other_request(probe):
    with probe.connect() as client:
        for keep, use in ("/keep-write", "/use-kept"), ("/keep-start", "/use-kept-start"):
            client.send(request(keep) + request(use) + request("/"))
            assert client.response().body == b"kept"
            answer = client.response()
            assert answer.status == 200
            assert answer.body == b"clean AssertionError"
            assert client.response().body == b"hello"


# The result's end


CLOSES = [
    {"shape": "closing", "items": ["a", "b"]},
    {"shape": "closing", "items": []},
    {"shape": "closing", "items": ["", ""]},
    {"shape": "closing-list", "items": ["a", "b"]},
    {"shape": "closing-list", "items": []},
    {"shape": "closing", "items": ["a", "b"], "start": "late"},
    {"shape": "closing", "items": ["a", "b"], "start": "never"},
    {"shape": "closing", "items": [], "start": "never"},
    {"shape": "closing-list", "items": ["a"], "start": "never"},
    {"shape": "closing", "items": ["a", "b"], "fail": 0},
    {"shape": "closing", "items": ["a", "b"], "fail": 1},
    {"shape": "closing", "items": ["a", "b"], "fail": "iter"},
    {"shape": "closing", "items": ["a", "b"], "fail": "close"},
    {"shape": "closing-list", "items": ["a"], "headers": [["Content-Length", "0"]]},
    {"shape": "closing", "items": ["a", "b"], "headers": [["Content-Length", "1"]]},
    {"shape": "closing", "items": ["a"], "headers": [["Content-Length", "9"]]},
    {"shape": "closing", "items": ["a"], "status": "204 No Content"},
    {"shape": "closing-list", "items": ["a"], "status": "304 Not Modified"},
    {"shape": "closing", "items": ["a"], "fail": 0, "raises": "SystemExit"},
    {"shape": "closing", "items": ["a"], "fail": 0, "raises": "KeyboardInterrupt"},
    {"shape": "closing", "items": ["a", "b"], "fail": 1, "raises": "GeneratorExit"},
    {"shape": "closing", "items": ["a"], "fail": "close", "raises": "SystemExit"},
    {"shape": "closing", "items": [["x", 5_000_000]], "write": ["a"]},
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("choices", CLOSES, ids=lambda choices: json.dumps(choices)[:70])
def test_close_is_called_once(probe, name, choices, method, version):
    with probe.connect() as client:
        headers = [("Connection", "close")]
        client.send(request(respond(name=name, **choices), method, headers, version=version))
        try:
            client.read_to_end()
        except ConnectionResetError:
            # The only way to tell an HTTP/1.0 client that its answer is not whole.
            assert version == "HTTP/1.0" and "fail" in choices
    events = probe.eventually(name, lambda events: "close" in events)
    assert events.count("close") == 1


@pytest.mark.parametrize("shape", ["closing", "closing-list"])
@pytest.mark.parametrize("goodbye", ["reset", "close"])
def test_close_when_the_client_is_gone(probe, name, shape, goodbye):
    """Before it read anything, and in the middle."""
    target = respond(shape=shape, items=[["x", 1 << 20]], times=40, name=name)
    client = probe.connect(receive_buffer=32768)
    client.send(request(target))
    client.read_until(b"xxx")
    getattr(client, goodbye)()
    events = probe.eventually(name, lambda events: "close" in events)
    assert events.count("close") == 1
    assert "end" not in events


def test_close_comes_after_the_last_item(probe, name):
    assert probe.request(request(respond(shape="closing", items=["a"], name=name))).body == b"a"
    events = probe.eventually(name, lambda events: "close" in events)
    assert events == ["start", "item 0", "end", "close"]


def test_close_before_the_next_request(probe, name):
    """Pipelined requests of one connection do not overlap."""
    target = respond(shape="closing", items=["a"], name=name)
    with probe.connect() as client:
        client.send(request(target) * 3)
        for _ in range(3):
            client.response()
    events = probe.eventually(name, lambda events: events.count("close") == 3)
    assert events == ["start", "item 0", "end", "close"] * 3

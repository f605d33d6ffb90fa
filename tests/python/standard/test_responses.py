"""Heads and bodies of answers: RFC 9110 sections 6.4, 8.6, 9.3.2, 15 and RFC 9112 section 6."""

import email.utils

import pytest
from support.client import ProtocolError
from standard.message import request, respond
from standard.probe import framing

SHAPES = ["list", "tuple", "generator", "iterator", "iterable", "closing", "closing-list"]


def get(probe, method="GET", version="HTTP/1.1", **choices):
    return probe.request(request(respond(**choices), method, version=version), method)


@pytest.mark.parametrize("shape", ["list", "tuple", "closing-list"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("items", [[], [""], ["a"], ["a", "", "bc", ""], [["x", 100_000]] * 30])
def test_length_of_a_list_is_computed(probe, shape, version, items):
    answer = get(probe, shape=shape, items=items, version=version)
    whole = "".join(item if isinstance(item, str) else item[0] * item[1] for item in items)
    assert answer.body == whole.encode()
    assert answer.every_header("Content-Length") == [str(len(whole))]


@pytest.mark.parametrize("shape", ["generator", "iterator", "iterable", "closing"])
def test_iterators_are_chunked(probe, shape):
    answer = get(probe, shape=shape, items=["a", "bc", "def"])
    assert (framing(answer), answer.body) == ("chunked", b"abcdef")


@pytest.mark.parametrize("shape", ["generator", "iterator", "iterable", "closing"])
def test_iterators_end_with_the_connection_in_http_1_0(probe, shape):
    answer = get(probe, shape=shape, items=["a", "bc", "def"], version="HTTP/1.0")
    assert (framing(answer), answer.body) == ("close", b"abcdef")


@pytest.mark.parametrize("items", [[""], ["", "a"], ["a", ""], ["a", "", "b"], ["", "", ""]])
def test_empty_items_do_not_end_a_chunked_body(probe, items):
    with probe.connect() as client:
        client.send(request(respond(items=items)) + request("/"))
        assert client.response().body == "".join(items).encode()
        assert client.response().body == b"hello"


@pytest.mark.parametrize("shape", ["empty-iterator", "generator", "closing"])
def test_iterators_without_items(probe, shape):
    with probe.connect() as client:
        client.send(request(respond(shape=shape)) + request("/"))
        answer = client.response()
        assert (answer.status, answer.body) == (200, b"")
        assert client.response().body == b"hello"


def test_an_iterator_of_one_item_can_be_measured(probe):
    """Chunked or measured, as long as it is one of them and whole."""
    assert get(probe, shape="iterator", items=["only"]).body == b"only"


@pytest.mark.parametrize("shape", SHAPES)
def test_a_given_length_is_used(probe, shape):
    headers = [["Content-Length", "6"]]
    answer = get(probe, shape=shape, items=["abc", "def"], headers=headers)
    assert (framing(answer), answer.body) == ("length", b"abcdef")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_promised_length_cuts_the_body(probe, shape):
    """More than promised would be taken for the next answer."""
    headers = [["Content-Length", "4"]]
    with probe.connect() as client:
        target = respond(shape=shape, items=["abc", "def", "ghi"], headers=headers)
        client.send(request(target) + request("/", headers=[("Connection", "close")]))
        assert client.response().body == b"abcd"
        assert client.read_to_end()[-5:] in (b"hello", b"")


def test_a_cut_body_is_logged(serve_probe):
    probe = serve_probe("probe.py")
    get(probe, shape="list", items=["abcdef"], headers=[["Content-Length", "3"]])
    probe.wait_for_output("Content-Length", "stderr")


@pytest.mark.parametrize("shape", SHAPES)
def test_less_than_promised_closes(probe, name, shape):
    """The client must see that something is missing, and no other answer in its place."""
    target = respond(shape=shape, items=["abc"], headers=[["Content-Length", "10"]], name=name)
    with probe.connect() as client:
        client.send(request(target) + request("/"))
        with pytest.raises(ProtocolError, match="7 bytes early"):
            client.response()


def test_no_body_of_a_promised_zero(probe):
    answer = get(probe, items=["abc"], headers=[["Content-Length", "0"]])
    assert answer.body == b""


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("length", [None, "6"])
def test_head_is_get_without_the_body(probe, shape, length):
    headers = [["X-Kept", "yes"]] + ([["Content-Length", length]] if length else [])
    target = respond(shape=shape, items=["abc", "def"], headers=headers)
    with probe.connect() as client:
        client.send(request(target, "HEAD") + request(target) + request("/"))
        head, whole = client.response("HEAD"), client.response()
        assert whole.body == b"abcdef"
        assert head.status == whole.status
        without_date = [
            sorted(pair for pair in each.headers if pair[0] != "Date") for each in (head, whole)
        ]
        if framing(head) == framing(whole):
            assert without_date[0] == without_date[1]
        else:
            # RFC 9110 section 9.3.2 lets a server leave out what only the body would tell.
            assert framing(head) == "close" and shape not in ("list", "tuple", "closing-list")
        assert client.response().body == b"hello"


def test_head_of_an_endless_answer_ends(probe, name):
    """Nothing of the body is needed: it is not drawn to its end."""
    target = respond(shape="closing", items=["x"], times=10_000, name=name)
    assert probe.request(request(target, "HEAD"), "HEAD").status == 200
    events = probe.eventually(name, lambda events: "close" in events)
    assert len(events) < 10


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("shape", ["list", "generator", "empty-iterator", "closing-list"])
@pytest.mark.parametrize("items", [[], ["forbidden"]])
def test_statuses_without_body(probe, status, shape, items):
    with probe.connect() as client:
        target = respond(status=status, shape=shape, items=items, headers=[["ETag", '"x"']])
        client.send(request(target) + request("/"))
        answer = client.response()
        assert answer.status == int(status[:3])
        assert answer.header("ETag") == '"x"'
        assert framing(answer) == "close", "neither length nor coding"
        assert client.response().body == b"hello"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_length_given_with_an_empty_status(probe, status):
    with probe.connect() as client:
        target = respond(status=status, shape="list", headers=[["Content-Length", "5"]])
        client.send(request(target) + request("/"))
        assert client.response().every_header("Content-Length") == []
        assert client.response().body == b"hello"


@pytest.mark.parametrize("status", ["202 Accepted", "301 Moved", "404 Not Found", "599 Odd One"])
def test_other_statuses_have_a_body(probe, status):
    answer = get(probe, status=status, shape="list", items=["text"])
    assert (answer.status, answer.reason, answer.body) == (int(status[:3]), status[4:], b"text")


def test_reset_content_has_none(probe):
    """RFC 9110 section 15.3.6: no content, but its absence is said like that of any other."""
    with probe.connect() as client:
        client.send(request(respond(status="205 Reset Content", items=["x"])) + request("/"))
        answer = client.response()
        assert (answer.status, answer.body) == (205, b"")
        assert client.response().body == b"hello"


@pytest.mark.parametrize("status", ["100 Continue", "101 Switching", "199 Early"])
def test_an_interim_status_is_no_answer(probe, status):
    """A client waits for the final answer after a 1xx: an application that gives one is wrong."""
    with probe.connect() as client:
        client.send(request(respond(status=status, shape="list")))
        assert client.response().status == 500


def test_date_and_server_are_added(probe):
    answer = get(probe, shape="list", items=["x"])
    assert answer.header("Server")
    stamp = answer.header("Date")
    moment = email.utils.parsedate_to_datetime(stamp)
    assert email.utils.format_datetime(moment, usegmt=True) == stamp


def test_date_and_server_of_the_application_stand(probe):
    stamp = "Sun, 06 Nov 1994 08:49:37 GMT"
    headers = [["date", stamp], ["SERVER", "mine"]]
    answer = get(probe, shape="list", headers=headers)
    assert answer.every_header("Date") == [stamp]
    assert answer.every_header("Server") == ["mine"]


def test_repeated_headers_keep_their_order(probe):
    names = ["Set-Cookie", "X", "set-cookie", "X", "Set-Cookie"]
    headers = [[name, f"v={number}"] for number, name in enumerate(names)]
    answer = get(probe, shape="list", headers=headers)
    given = [pair for pair in answer.headers if pair[0] in names]
    assert given == [tuple(pair) for pair in headers]


def test_header_values_are_latin_1(probe):
    answer = get(probe, shape="list", headers=[["X", "caf\u00e9"], ["Y", ""]])
    assert (answer.header("X"), answer.header("Y")) == ("caf\u00e9", "")
    assert b"X: caf\xe9\r\n" in answer.head


def test_many_and_long_headers(probe):
    headers = [[f"X-{number}", "v" * number] for number in range(80)]
    answer = get(probe, shape="list", items=["x"], headers=headers)
    assert all(answer.header(name) == value for name, value in headers)


@pytest.mark.parametrize("length", ["abc", "-1", "", "1.5", "5, 5", "99999999999999999999999"])
def test_a_length_that_is_none(probe, length):
    """What is no number must not go out as the length: clients would each read it their way."""
    with probe.connect() as client:
        target = respond(shape="list", items=["hello"], headers=[["Content-Length", length]])
        client.send(request(target))
        answer = client.response()
        assert answer.status == 500 or answer.body == b"hello"
        assert answer.every_header("Content-Length") != [length]


def test_two_lengths_from_the_application(probe):
    headers = [["Content-Length", "5"], ["Content-Length", "6"]]
    answer = get(probe, shape="list", items=["hello"], headers=headers)
    assert len(answer.every_header("Content-Length")) == 1


@pytest.mark.parametrize("shape", ["generator", "closing"])
def test_more_than_promised_is_not_asked_for(probe, name, shape):
    """PEP 3333: enough is enough. Each item too many would cost time, and a line on stderr."""
    headers = [["Content-Length", "4"]]
    with probe.connect() as client:
        target = respond(shape=shape, items=["abc"], times=10_000, headers=headers, name=name)
        client.send(request(target) + request("/"))
        assert client.response().body == b"abca"
        assert client.response().body == b"hello"
    events = probe.journal(name)
    assert [event for event in events if event.startswith("item")] == ["item 0", "item 1"]
    assert events.count("close") == (shape == "closing")


@pytest.mark.parametrize("shape", SHAPES)
def test_large_bodies_arrive_whole(probe, shape):
    items = [[letter, 3_000_000] for letter in "abcd"]
    answer = get(probe, shape=shape, items=items)
    assert answer.body == b"".join(letter.encode() * 3_000_000 for letter in "abcd")


@pytest.mark.parametrize("shape", ["list", "tuple", "generator"])
def test_a_body_of_many_items(probe, shape):
    """More items than one writev takes (IOV_MAX is 1024)."""
    answer = get(probe, shape=shape, items=["0123456789"], times=3000)
    assert answer.body == b"0123456789" * 3000


def test_buffers_are_bodies_too(probe):
    """PEP 3333 wants bytes; buffers are taken for them (on Python 2 those it had first)."""
    answer = probe.request(request("/buffers"))
    assert (answer.status, answer.body) == (200, b"one two three")


def test_an_iterable_that_reads(probe):
    assert probe.request(request("/lazy")).body == b"lazy text"


def test_text_as_a_body(probe):
    """PEP 3333 wants bytes: text is refused, or sent as UTF-8, never as memory or half."""
    answer = probe.request(request("/text-items"))
    assert answer.status == 500 or answer.body == "text\u00e9".encode()


@pytest.mark.parametrize("shape", ["none", "number"])
def test_results_that_are_no_body(probe, shape):
    with probe.connect() as client:
        client.send(request(respond(shape=shape)))
        answer = client.response()
        assert answer.status == 500


def test_one_byte_string_as_a_body(probe):
    """PEP 3333: legal, and a common mistake; on Python 3 its items would be numbers."""
    answer = get(probe, shape="bytes", items=["whole"])
    assert (answer.status, answer.body) == (200, b"whole")

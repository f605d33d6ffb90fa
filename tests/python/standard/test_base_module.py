"""Programs of the Fapws3 kind in the standard dialect: the stock Start_response's own methods,
and a base module whose classes are the program's own, which is slower but must be as right."""

import json

import pytest
from support.client import ProtocolError
from standard.message import chunks, post, post_chunked, request, respond
from standard.probe import framing


@pytest.fixture
def cookies(serve_probe):
    return serve_probe("cookies.py")


def test_methods_before_the_call(cookies):
    answer = cookies.request(request("/before"))
    assert (answer.status, answer.body) == (201, b"body")
    assert (answer.header("X-Early"), answer.header("X-Given")) == ("1", "2")
    assert [value.split(";")[0] for value in answer.every_header("Set-Cookie")] == ["b=2", "a=1"]


def test_methods_after_the_call(cookies):
    answer = cookies.request(request("/after"))
    assert answer.status == 201
    assert (answer.header("X-Late"), answer.header("X-Given")) == ("3", "changed")
    given = {value.split(";")[0]: value.lower() for value in answer.every_header("Set-Cookie")}
    assert set(given) == {"a=1", "b=2", "c=3"}
    assert "max-age=60" in given["a=1"]
    assert "domain=example.net" in given["c=3"] and "secure" in given["c=3"]


def test_attributes(cookies):
    answer = cookies.request(request("/attributes"))
    assert (answer.status, answer.reason) == (404, "Gone Fishing")
    assert answer.header("X-Dict") == "yes"


def test_attributes_without_a_call(cookies):
    answer = cookies.request(request("/uncalled"))
    assert (answer.status, answer.header("X-Only"), answer.body) == (200, "1", b"body")


def test_methods_do_not_split_the_response(cookies):
    assert cookies.request(request("/splitting")).body == b"ValueError"
    answer = cookies.request(request("/splitting-dict"))
    assert answer.status == 500 and answer.header("Y") is None
    assert cookies.request(request("/hop")).status == 500


def test_the_next_request_starts_anew(cookies):
    """What one request's start_response was told is forgotten, on the same connection too."""
    with cookies.connect() as client:
        client.send(request("/after") + request("/uncalled"))
        client.response()
        answer = client.response()
        assert answer.status == 200
        assert answer.every_header("Set-Cookie") == [] and answer.header("X-Late") is None


@pytest.fixture
def own(serve_probe):
    """A server whose base module was changed after its first request."""
    probe = serve_probe("own_base.py")
    seen = json.loads(probe.request(request("/own")).body)
    assert (seen["environ"], seen["calls"], seen["made"]) == ("dict", [], False)
    assert probe.request(request("/switch")).body == b"switched"
    return probe


def test_classes_replaced_in_the_life_of_a_connection(serve_probe):
    """What is remembered of its heads is of no use to them: the fields are read again."""
    probe = serve_probe("own_base.py")
    form = ("Content-Type", "application/x-www-form-urlencoded")
    message = post("/environ", b"a=1&b=2", [form, ("X-One", "1")])
    other = request("/environ", headers=[("X-Other", "a" * 100)] * 3)
    with probe.connect() as client, probe.connect() as stranger:

        def told():
            client.send(message)
            values = json.loads(client.response().body)["values"]
            return {key: value for key, value in values.items() if "." not in key}

        before = [told() for _ in range(3)]
        stranger.send(other + request("/switch"))
        assert [stranger.response().status for _ in range(2)] == [200, 200]
        assert [told() for _ in range(3)] == before
        assert before[0]["HTTP_X_ONE"] == ["str", "1"]


@pytest.mark.parametrize("length", [0, 1000, 60_000, 65_200, 65_536])
def test_an_input_of_its_own_gets_the_body(serve_probe, length):
    """However the body came: up to `body_memory` it is written to what the program supplied."""
    probe = serve_probe("own_input.py")
    body = b"x" * length
    for message in [post("/", body), post_chunked("/", chunks(body, 1000))]:
        answer = probe.request(message)
        assert answer.body == b"Mine %d" % length


def test_own_classes_are_called(own):
    answer = own.request(post("/own?q", b"the body"))
    assert (answer.status, answer.header("X-Own")) == (202, "yes")
    assert answer.header("Set-Cookie").startswith("taste=sweet")
    seen = json.loads(answer.body)
    assert (seen["environ"], seen["made"]) == ("Environ", True)
    assert seen["calls"] == [
        "update_headers",
        "update_uri",
        "update_from_request",
        "start_response",
    ]
    assert (seen["script"], seen["path"]) == ("", "/own")
    assert (seen["version"], seen["terminated"], seen["body"]) == ([1, 0], True, "the body")


@pytest.mark.parametrize("size", [0, 100, 65536, 65537, 1_000_000])
def test_own_classes_get_bodies(own, size):
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert own.request(post("/echo", body)).body == body
    assert own.request(post_chunked("/echo", chunks(body, 5000))).body == body


@pytest.mark.parametrize("shape", ["list", "generator", "closing", "empty-iterator"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_own_classes_answer(own, shape, version):
    target = respond(shape=shape, items=["a", "b"], headers=[["X-Given", "1"]])
    answer = own.request(request(target, version=version))
    assert (answer.status, answer.header("X-Given"), answer.header("X-Own")) == (200, "1", "yes")
    assert answer.body == (b"" if shape == "empty-iterator" else b"ab")
    if version == "HTTP/1.1" and shape in ("generator", "closing"):
        assert framing(answer) == "chunked"


def test_own_classes_keep_connections(own):
    with own.connect() as client:
        client.send(request("/own") * 20 + request("/own", "HEAD") + post("/echo", b"x" * 100_000))
        for _ in range(20):
            assert client.response().status == 202
        assert client.response("HEAD").status == 202
        assert client.response().body == b"x" * 100_000


def test_own_classes_do_not_split_the_response(own):
    for header in ["X", "a\r\nY: b"], ["X\r\nY", "b"], ["Connection", "close"]:
        answer = own.request(request(respond(shape="list", headers=[header])))
        assert answer.status == 500 and answer.header("Y") is None


def test_own_classes_and_failures(own):
    assert own.request(request(respond(fail="call"))).status == 500
    with own.connect() as client:
        client.send(request(respond(items=["a", "b"], fail=1)))
        with pytest.raises(ProtocolError):
            client.response()

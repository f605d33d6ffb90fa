"""The environ of PEP 3333, key by key, and `wsgiref.validate` over real requests."""

import json

import pytest
from support.ports import free_port
from standard.message import chunks, post, post_chunked, request

REQUIRED = {
    "REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "SERVER_NAME", "SERVER_PORT",
    "SERVER_PROTOCOL", "REMOTE_ADDR", "REMOTE_PORT",
}  # fmt: skip

WSGI = {
    "wsgi.version": ["tuple", [1, 0]],
    "wsgi.url_scheme": ["str", "http"],
    "wsgi.multithread": ["bool", False],
    "wsgi.run_once": ["bool", False],
    "wsgi.input_terminated": ["bool", True],
}


def seen_in(answer):
    assert answer.status == 200, answer
    return json.loads(answer.body)


def test_it_is_a_plain_dict_of_native_strings(probe):
    seen = seen_in(probe.request(post("/environ", b"x=1", [("X-One", "1")])))
    assert seen["type"] == "dict"
    assert seen["keys_native"]
    for key, (kind, _) in seen["values"].items():
        if "." not in key:
            assert kind == "str", key


def test_required_keys(probe):
    values = seen_in(probe.request(request("/environ")))["values"]
    assert REQUIRED <= set(values)
    for key, value in WSGI.items():
        assert values[key] == value, key
    assert values["wsgi.multiprocess"] == ["bool", False]
    assert {"wsgi.input", "wsgi.errors", "wsgi.file_wrapper"} <= set(values)


def test_values_of_the_connection(serve_probe):
    """Port 0 would be told as it was given: this server gets a real one."""
    port = free_port()
    probe = serve_probe("probe.py", port=str(port))
    with probe.connect() as client:
        client.send(request("/environ"))
        values = seen_in(client.response())["values"]
        assert values["SERVER_NAME"] == ["str", "127.0.0.1"]
        assert values["SERVER_PORT"] == ["str", str(port)]
        assert values["REMOTE_ADDR"] == ["str", "127.0.0.1"]
        assert values["REMOTE_PORT"] == ["str", str(client.own_address[1])]


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_protocol(probe, version):
    values = seen_in(probe.request(request("/environ", version=version)))["values"]
    assert values["SERVER_PROTOCOL"] == ["str", version]


def test_content_keys_only_when_sent(probe):
    values = seen_in(probe.request(request("/environ")))["values"]
    assert not {"CONTENT_TYPE", "CONTENT_LENGTH"} & set(values)
    body = post("/environ", b"x=1", [("Content-Type", "text/x")])
    values = seen_in(probe.request(body))["values"]
    assert values["CONTENT_TYPE"] == ["str", "text/x"]
    assert values["CONTENT_LENGTH"] == ["str", "3"]
    assert not {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} & set(values)


def test_root_is_the_empty_prefix(probe):
    values = seen_in(probe.request(request("/environ/a")))["values"]
    assert values["SCRIPT_NAME"] == ["str", ""]
    assert values["PATH_INFO"] == ["str", "/environ/a"]


def test_fapws_keys(probe):
    values = seen_in(probe.request(request("/environ?a=1&a=2&b=%20+x&c")))["values"]
    assert values["fapws.params"][1] == {"a": ["1", "2"], "b": ["  x"], "c": [""]}
    assert values["fapws.uri"] == ["str", "/environ?a=1&a=2&b=%20+x&c"]
    assert values["fapws.major_minor"] == ["str", "1.1"]
    assert values["fapws.remote_addr"] == ["str", "127.0.0.1"]
    assert values["fapws.remote_port"][0] in ("int", "long")
    assert values["fapws.socket_fd"][0] in ("int", "long")
    assert values["fapws.raw_header"][1].startswith("GET /environ?a=1")


def test_form_parameters(probe):
    kind = [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")]
    values = seen_in(probe.request(post("/environ", b"a=1&b=%C3%A9", kind)))["values"]
    assert values["fapws.params"][1] == {"a": ["1"], "b": ["\u00c3\u00a9"]}


def test_each_request_has_its_own(probe):
    """The application changes its environ; the connection's next request sees nothing of it."""
    with probe.connect() as client:
        for number in range(3):
            extra = [("X-Only", "first")] if number == 0 else []
            client.send(request("/environ", headers=extra))
            values = seen_in(client.response())["values"]
            assert "probe.mark" not in values
            assert values["wsgi.version"] == WSGI["wsgi.version"]
            assert ("HTTP_X_ONLY" in values) == (number == 0)


FORM = ("Content-Type", "application/x-www-form-urlencoded")
#: Heads that are alike but for what a memory of heads must not mix up.
ALIKE = [
    request("/environ"),
    request("/environ?a=1&b"),
    request("/environ", headers=[("Content-Length", "7"), FORM], body=b"a=1&b=2"),
    post("/environ", b"a=1&b=2", [FORM]),
    post("/environ?c=3", b"a=%20&d", [FORM]),
    post("/environ", b"a=1&b=2", [("Content-Type", "text/plain")]),
    post("/environ", b"a=1&b=2", [FORM, ("X-One", "1")]),
    request("/environ", "PUT", [FORM], b"a=1&b=2"),
    request("/environ", "HEAD"),
    request("/environ", version="HTTP/1.0", headers=[("Connection", "keep-alive")]),
    post_chunked("/environ", chunks(b"a=1&b=2", 3), [FORM]),
]


def told(client, message):
    """What the application was told, but for what names the connection."""
    method = message.partition(b" ")[0].decode()
    answer = client.response(method)
    if method == "HEAD":
        return answer.status
    values = seen_in(answer)["values"]
    of_connection = {"REMOTE_PORT", "fapws.remote_port", "fapws.socket_fd", "wsgi.input"}
    return {key: value for key, value in values.items() if key not in of_connection}


def test_what_was_sent_before_changes_nothing(probe):
    """Heads are remembered: a request is told as on a connection of its own nevertheless."""
    alone = []
    for message in ALIKE:
        with probe.connect() as client:
            client.send(message)
            alone.append(told(client, message))
    for first in range(len(ALIKE)):
        with probe.connect() as client:
            for second in range(len(ALIKE)):
                for number in [first, first, first, second, second, second, first]:
                    client.send(ALIKE[number])
                    assert told(client, ALIKE[number]) == alone[number], (first, second, number)


def test_a_known_head_whose_body_comes_later(probe):
    """What was read of another connection's head meanwhile has nothing to do with it."""
    message = post("/environ", b"a=1&b=2", [FORM, ("X-One", "1")])
    other = request("/environ", headers=[("X-Other", "a" * 100)] * 3)
    with probe.connect() as client, probe.connect() as stranger:
        client.send(message)
        expected = told(client, message)
        for number in range(8):
            stranger.send(other)
            assert told(stranger, other)["REQUEST_METHOD"] == ["str", "GET"]
            pieces = [message] if number % 3 else [message[:-4], message[-4:]]
            client.send(*pieces, pause=0.02)
            assert told(client, message) == expected


def test_uploads_in_pieces_do_not_forget_other_heads(probe):
    """As long as a head is remembered the value of a header is one object."""
    upload = post("/echo", b"number", [FORM])

    def is_remembered(client):
        client.send(request("/same-host"))
        return client.response().body == b"yes"

    with probe.connect() as client:
        assert [is_remembered(client) for _ in range(4)][2:] == [True, True]
        for _ in range(6):
            client.send(upload[:-3], upload[-3:], pause=0.05)
            assert client.response().body == b"number"
        assert is_remembered(client)


def test_errors_go_to_the_real_stderr(serve_probe):
    probe = serve_probe("probe.py")
    assert probe.request(request("/complain?word")).body == b"complained"
    for line in "write-word", "lines-word", "more-word":
        probe.wait_for_output(line, "stderr")


def test_a_unix_socket_names_the_peer_by_nothing(serve_probe, tmp_path):
    probe = serve_probe("probe.py", host=str(tmp_path / "socket"), port="unix")
    values = seen_in(probe.request(request("/environ")))["values"]
    assert values["REMOTE_ADDR"] == ["str", ""]
    assert values["REMOTE_PORT"][0] == "str"
    assert values["PATH_INFO"] == ["str", "/environ"]


# wsgiref's own check of both sides


def test_wsgiref_validate_is_content(serve_probe):
    """A complaint of the validator is an exception in the application: a 500 and a traceback."""
    probe = serve_probe("validated.py")
    body = b"first\nsecond\n\nlast"
    exchanges = [
        (post(f"/{way}", body), body) for way in ("read", "readline", "readlines", "iterate")
    ]
    exchanges += [(post_chunked(f"/{way}", chunks(body, 4)), body) for way in ("read", "iterate")]
    exchanges += [
        (request("/generator?q=%20", headers=[("Cookie", "a=b"), ("X-One", "1")]), b"one two"),
        (request("/generator", "PUT"), b"one two"),
        (request("/write"), b"written and returned"),
        (request("/empty"), b""),
        (request("http://other/generator", version="HTTP/1.0"), b"one two"),
    ]
    for raw, expected in exchanges:
        answer = probe.request(raw)
        assert answer.status in (200, 204), (raw, probe.stderr)
        assert answer.body == expected
    assert probe.request(request("/generator", "HEAD"), "HEAD").status == 200
    assert "AssertionError" not in probe.stderr
    assert "WSGIWarning" not in probe.stderr

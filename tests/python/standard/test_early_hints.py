"""`wsgi.early_hints`, as gunicorn has it: 103 responses before the final one."""

import pathlib

import pytest
from standard.message import request

HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\n\r\n"


def receive(client, target, hints, **more):
    """The final response, which `hints` come before."""
    client.send(request(target, **more))
    assert client.read_exactly(len(hints)) == hints
    response = client.response()
    return response.status, response.body


@pytest.fixture
def server(serve_probe):
    return serve_probe("hints.py")


def test_they_come_before_the_head(server):
    with server.connect() as client:
        for _ in range(4):
            assert receive(client, "/", HINT) == (200, b"body")
            assert receive(client, "/none", b"") == (200, b"body")
        more = b"HTTP/1.1 103 Early Hints\r\nLink: </b.js>; rel=preload\r\nX-A: 1\r\nX-A: 2\r\n\r\n"
        assert receive(client, "/twice", HINT + more) == (200, b"body")
        assert receive(client, "/fails", HINT)[0] == 500
    assert receive_from(server, "/generator", HINT * 2) == (200, b"body")


def receive_from(server, target, hints):
    with server.connect() as client:
        return receive(client, target, hints)


def test_nothing_comes_behind_the_head(server):
    assert receive_from(server, "/late", b"") == (200, b"bodybody")


def test_they_are_sent_at_once(server):
    with server.connect() as client:
        client.send(request("/waits"))
        assert client.read_exactly(len(HINT)) == HINT
        pathlib.Path(server.cwd, "go").write_text("")
        assert client.response().body == b"body"


def test_requests_that_follow_at_once(server):
    with server.connect() as client:
        client.send(request("/") + request("/generator") + request("/none"))
        for hints in HINT, HINT * 2, b"":
            assert client.read_exactly(len(hints)) == hints
            assert client.response().body == b"body"


def test_a_client_of_http_1_0_gets_none(server):
    for target in "/", "/twice", "/generator":
        raw = server.exchange(request(target, version="HTTP/1.0"))
        assert raw.startswith(b"HTTP/1.1 200 ") and b"103" not in raw


def test_what_is_wrong_raises_as_in_start_response(server):
    with server.connect() as client:
        expected = b"ValueError ValueError TypeError AssertionError TypeError TypeError"
        assert receive(client, "/wrong", b"") == (200, expected)
        client.send(request("/wrong", version="HTTP/1.0"))
        assert client.response().body == expected


def test_one_that_was_kept_is_not_the_next_requests(server):
    with server.connect() as client:
        for _ in range(3):
            assert receive(client, "/kept", b"") == (200, b"body")


def test_the_access_log_counts_the_response_alone(serve_probe, tmp_path):
    log = tmp_path / "access.log"
    config = {"access_log": str(log), "access_log_format": "%(U)s %(s)s %(B)s %({content-type}o)s"}
    server = serve_probe("hints.py", config=config)
    for target in "/", "/generator", "/none":
        assert receive_from(server, target, HINT * {"/": 1, "/none": 0}.get(target, 2))[0] == 200
    server.stop().check()
    lines = log.read_text().splitlines()
    assert lines == [f"{target} 200 4 text/plain" for target in ("/", "/generator", "/none")]


def test_threads(serve_probe, interpreter):
    if interpreter.version[0] == 2:
        pytest.skip("threads need Python 3")
    server = serve_probe("hints.py", config={"threads": 4})
    with server.connect() as client, server.connect() as other:
        for _ in range(4):
            assert receive(client, "/", HINT) == (200, b"body")
            assert receive(other, "/generator", HINT * 2) == (200, b"body")


def test_the_legacy_dialect_has_none(serve):
    server = serve("standard/mirror.py", dialect="legacy")
    assert b"early_hints" not in server.exchange(b"GET / HTTP/1.0\r\n\r\n")

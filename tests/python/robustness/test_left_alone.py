"""Clients that leave while a response goes on: its `close()` is called.

One that only sends no more has its response.
`flag` is a file that the application makes when its response is closed.
"""

import time

import pytest
from standard.message import request
from support.process import wait_until


@pytest.fixture
def server(serve_probe, dialect):
    return serve_probe("monitor.py", dialect=dialect)


def beside(flag, word):
    return flag.with_name(f"{flag.name}-{word}")


def test_empty_items_end_when_nobody_is_there(server, tmp_path):
    """However a client leaves, and whether or not there is input that nobody read."""
    goodbyes = ("half_close", "close", "reset")
    ways = [(goodbye, rest) for goodbye in goodbyes for rest in ("", "pipelined")]
    flags = {way: tmp_path / "-".join(way) for way in ways}
    clients = {way: server.connect() for way in ways}
    for way in ways:
        clients[way].send(request(f"/forever?{flags[way]}"))
    for goodbye, rest in ways:
        client = clients[goodbye, rest]
        wait_until(beside(flags[goodbye, rest], "runs").exists, "the application")
        if rest:
            client.send(request("/"))
        getattr(client, goodbye)()
    for way in ways:
        wait_until(flags[way].exists, f"close() of the response after {way}")
        clients[way].close()
    assert server.get("/").body == b"hello"
    server.stop().check()


def test_they_go_on_while_the_client_is_there(server, tmp_path):
    flag = tmp_path / "flag"
    with server.connect() as client:
        client.send(request(f"/empty?{flag}"))
        time.sleep(1.5)
        flag.touch()
        assert client.read_until(b"end")


@pytest.mark.parametrize("target", ["/wait", "/stream", "/empty"])
def test_a_client_that_sends_no_more_has_its_response(server, tmp_path, target):
    flag = tmp_path / "flag"
    with server.connect() as client:
        client.send(request(f"{target}?{flag}"))
        client.half_close()
        if target == "/stream":
            client.read_until(b"first")
        flag.touch()
        assert client.read_to_end().replace(b"\r\n0\r\n\r\n", b"").endswith((b"seen", b"end"))


@pytest.mark.parametrize("goodbye", ["close", "reset"])
def test_a_generator_that_yields_rarely_is_closed(server, tmp_path, goodbye):
    flag = tmp_path / "closed"
    client = server.connect()
    client.send(request(f"/dripping?{flag}"))
    client.read_until(b"item")
    getattr(client, goodbye)()
    beside(flag, "left").touch()
    wait_until(flag.exists, "the application's close()")


def test_slow_empty_items_let_others_in(server, tmp_path):
    flag = tmp_path / "flag"
    with server.connect() as slow, server.connect() as other:
        slow.send(request(f"/reluctant?{flag}"))
        other.send(request("/drawn", headers=[("Connection", "close")]))
        flag.touch()
        assert int(other.response().body) < 6
        assert b"end" in slow.read_until(b"end")

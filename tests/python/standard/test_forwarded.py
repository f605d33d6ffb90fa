"""`config.forwarded_allow_ips`: whose `X-Forwarded-Proto` decides `wsgi.url_scheme`."""

import json
import socket

import pytest
from standard.message import request
from support.client import Client

HTTPS = [("X-Forwarded-Proto", "https")]


def scheme(client, headers):
    """What the application saw."""
    client.send(request(headers=headers))
    return json.loads(client.response().body)["wsgi.url_scheme"]


@pytest.mark.wire
def test_this_machine_is_trusted_by_default(serve_probe):
    server = serve_probe("mirror.py")
    with server.connect() as client:
        # Heads that were seen before are cached, each with its own scheme.
        for _ in range(6):
            assert scheme(client, HTTPS) == "https"
        for _ in range(6):
            assert scheme(client, []) == "http"
        for value, expected in [
            ("HTTPS", "https"),
            ("http", "http"),
            ("ftp", "http"),
            ("https, http", "http"),
            ("http, https", "https"),
            ("", "http"),
        ]:
            assert scheme(client, [("X-Forwarded-Proto", value)]) == expected, value
        # The field of the nearest proxy is the last.
        assert scheme(client, [*HTTPS, ("X-Forwarded-Proto", "http")]) == "http"
        assert scheme(client, [("Connection", "x-forwarded-proto"), *HTTPS]) == "https"


@pytest.mark.wire
@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ("10.0.0.1", "http"),
        ("", "http"),
        ([], "http"),
        ("*", "https"),
        ("10.0.0.1, 127.0.0.0/8", "https"),
        (["10.0.0.1", "127.0.0.1"], "https"),
        (["127.0.0.2/31"], "http"),
    ],
)
def test_the_peers_address_decides(serve_probe, allowed, expected):
    server = serve_probe("mirror.py", config={"forwarded_allow_ips": allowed})
    with server.connect() as client:
        headers = [*HTTPS, ("X-Forwarded-For", "10.0.0.1")]
        assert [scheme(client, headers) for _ in range(4)] == [expected] * 4


@pytest.mark.wire
def test_two_peers_with_the_same_head(serve_probe):
    server = serve_probe("mirror.py")
    with server.connect() as trusted, stranger(server.address) as other:
        for _ in range(6):
            assert scheme(trusted, HTTPS) == "https"
            assert scheme(other, HTTPS) == "http"


def stranger(address):
    """A client with another address of this machine."""
    client = Client(address)
    client.socket.close()
    client.socket = socket.create_connection(address, 60, ("127.0.0.2", 0))
    return client


def test_an_environ_of_ones_own(serve_probe):
    server = serve_probe("own_base.py")
    assert server.get("/switch").body == b"switched"
    with server.connect() as client:
        for headers, expected in (HTTPS, "https"), ([], "http"), (HTTPS, "https"):
            client.send(request("/environ", headers=headers))
            seen = json.loads(client.response().body)["values"]
            assert seen["wsgi.url_scheme"] == ["str", expected]


@pytest.mark.parametrize(
    ("value", "name"), [("localhost", "ValueError"), (5, "TypeError"), ([5], "TypeError")]
)
def test_what_it_cannot_be(serve_probe, value, name):
    outcome = serve_probe("mirror.py", config={"forwarded_allow_ips": value}).wait()
    assert outcome.returncode == 1
    assert name in outcome.stderr and "config.forwarded_allow_ips" in outcome.stderr

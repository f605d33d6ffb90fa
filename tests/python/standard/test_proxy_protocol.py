"""`config.proxy_protocol`: who the client is, as the proxy in front says before any request."""

import json
import socket
import struct

import pytest
from standard.message import post, request
from support.client import Client
from support.process import wait_until

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LINE = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n"


def binary(source, port, command=0x21, tlvs=b""):
    """A header of version 2."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    addresses = socket.inet_pton(family, source) * 2 + struct.pack("!HH", port, 80)
    block = addresses + tlvs
    kind = 0x21 if family == socket.AF_INET6 else 0x11
    return SIGNATURE + struct.pack("!BBH", command, kind, len(block)) + block


def serve(serve_probe, versions="auto", **config):
    config = dict(config, proxy_protocol=versions, header_timeout=config.get("header_timeout", 20))
    return serve_probe("introduced.py", config=config)


def client_of(client, *pieces, **pauses):
    """(REMOTE_ADDR, REMOTE_PORT) of a request."""
    client.send(*pieces, **pauses)
    seen = json.loads(client.response().body)
    return seen["REMOTE_ADDR"], seen["REMOTE_PORT"]


def peer(client):
    """(REMOTE_ADDR, REMOTE_PORT) of a client for whom nobody speaks."""
    host, port = client.own_address
    return host, str(port)


def counted(server, name, headers=LINE):
    """The value of one of the server's counters."""
    with server.connect() as client:
        client.send(headers + request("/stats"))
        return json.loads(client.response().body)[name]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (LINE, ("192.0.2.7", "4711")),
        (b"PROXY TCP6 2001:db8::7 ::1 4711 80\r\n", ("2001:db8::7", "4711")),
        (binary("192.0.2.7", 4711), ("192.0.2.7", "4711")),
        (binary("2001:db8::7", 4711), ("2001:db8::7", "4711")),
        (binary("::ffff:192.0.2.7", 4711), ("192.0.2.7", "4711")),
        (binary("192.0.2.7", 4711, tlvs=b"\x04\0\x03abc" * 900), ("192.0.2.7", "4711")),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN ::1 ::1 1 2\r\n", None),
        (binary("192.0.2.7", 4711, command=0x20), None),
        (SIGNATURE + b"\x20\x00\x00\x00", None),
        (SIGNATURE + b"\x21\x00\x00\x00", None),
    ],
)
def test_the_client_is_whom_the_proxy_names(serve_probe, header, expected):
    server = serve(serve_probe)
    with server.connect() as client:
        assert client_of(client, header + request()) == (expected or peer(client))
        # Once a connection: what follows are requests, heads that are known among them.
        for _ in range(4):
            assert client_of(client, request()) == (expected or peer(client))
    with server.connect() as client:
        assert client_of(client, header, request(), pause=0.05) == (expected or peer(client))
    with server.connect() as client:
        whole = header + post("/", b"x" * 9)
        pieces = [whole[at : at + 1] for at in range(min(len(whole), 200))] + [whole[200:]]
        assert client_of(client, *pieces) == (expected or peer(client))
    with server.connect() as client:
        client.send(header + request() + request("/two") + request("/three"))
        seen = [json.loads(client.response().body) for _ in range(3)]
        assert [each["PATH_INFO"] for each in seen] == ["/", "/two", "/three"]
        assert {each["REMOTE_ADDR"] for each in seen} == {(expected or peer(client))[0]}


@pytest.mark.wire
@pytest.mark.parametrize(
    ("versions", "first"),
    [
        ("auto", request()),
        ("auto", b"PROXY TCP4 192.0.2.7 192.0.2.1 4711\r\n" + request()),
        ("auto", SIGNATURE + b"\x31\x11\0\0" + request()),
        ("auto", SIGNATURE + b"\x21\x11\0\x04abcd" + request()),
        ("auto", b"PROXY UNKNOWN" + b" " * 94),
        ("v1", binary("192.0.2.7", 4711) + request()),
        ("v2", LINE + request()),
    ],
)
def test_what_is_malformed_is_closed_and_counted(serve_probe, versions, first):
    server = serve(serve_probe, versions)
    header = LINE if versions != "v2" else binary("192.0.2.7", 4711)
    before = counted(server, "rejected", header)
    with server.connect() as client:
        client.send(first)
        # Input that nobody read resets the connection: there is no response that could be lost.
        assert ends(client) == b""
    assert counted(server, "rejected", header) == before + 1
    assert counted(server, "requests", header) == 3


def ends(client):
    """What comes to the end of a connection, which may be a reset."""
    try:
        return client.read_to_end()
    except ConnectionResetError:
        return b""


@pytest.mark.wire
def test_a_second_header_is_no_request(serve_probe):
    server = serve(serve_probe)
    with server.connect() as client:
        client.send(LINE + LINE + request())
        assert client.response().status == 400


@pytest.mark.wire
@pytest.mark.parametrize("first", [b"", LINE[:20], SIGNATURE])
def test_the_header_has_the_time_of_a_head(serve_probe, first):
    server = serve(serve_probe, header_timeout=0.5)
    before = counted(server, "timeouts")
    with server.connect() as client:
        client.send(first) if first else None
        assert ends(client) == b""
    assert counted(server, "timeouts") == before + 1


@pytest.mark.wire
def test_a_head_behind_it_has_a_response_when_it_is_late(serve_probe):
    server = serve(serve_probe, header_timeout=0.5)
    with server.connect() as client:
        client.send(LINE + b"GET / HTTP/1.1\r\n")
        assert client.response().status == 408


@pytest.mark.wire
@pytest.mark.parametrize(
    ("allowed", "is_allowed"),
    [("10.0.0.1", False), ("", False), ("*", True), ("127.0.0.0/8", True), ("127.0.0.2", False)],
)
def test_other_peers_first_bytes_are_a_request(serve_probe, allowed, is_allowed):
    server = serve(serve_probe, proxy_allow_from=allowed)
    with server.connect() as client:
        header = LINE if is_allowed else b""
        expected = ("192.0.2.7", "4711") if is_allowed else peer(client)
        assert client_of(client, header + request()) == expected
    with server.connect() as client:
        client.send(b"" if is_allowed else LINE, request())
        assert is_allowed or client.response().status == 400


@pytest.mark.wire
def test_whose_word_counts_is_the_sockets_peers_matter(serve_probe):
    """Not the matter of an address that somebody else wrote."""
    https = request(headers=[("X-Forwarded-Proto", "https")])
    server = serve(serve_probe, proxy_allow_from="*", forwarded_allow_ips="127.0.0.1")
    for address, expected in ("127.0.0.1", "https"), ("127.0.0.2", "http"):
        with Client(server.address) as client:
            client.socket.close()
            client.socket = socket.create_connection(server.address, 60, (address, 0))
            client.send(b"PROXY TCP4 127.0.0.1 192.0.2.1 4711 80\r\n" + https)
            assert json.loads(client.response().body)["wsgi.url_scheme"] == expected


@pytest.mark.wire
def test_the_access_log_has_the_client(serve_probe, tmp_path):
    log = tmp_path / "access.log"
    server = serve(serve_probe, access_log=str(log))
    with server.connect() as client:
        client_of(client, LINE + request())
    wait_until(lambda: log.exists() and log.read_text(), "a line")
    assert log.read_text().startswith("192.0.2.7 - ")


@pytest.mark.wire
def test_a_unix_socket(interpreter, start_process, tmp_path_factory):
    from standard.probe import Probe

    path = tmp_path_factory.mktemp("s") / "s"
    more = {"host": str(path), "port": "unix", "config": {"proxy_protocol": "auto"}}
    server = start_process(Probe, interpreter, "introduced.py", **more)
    with server.connect() as client:
        assert client_of(client, LINE + request()) == ("192.0.2.7", "4711")
    with server.connect() as client:
        assert client_of(client, b"PROXY UNKNOWN\r\n" + request()) == ("", "0")


@pytest.mark.wire
def test_the_legacy_dialect_has_it_too(serve):
    server = serve("standard/mirror.py", dialect="legacy", config={"proxy_protocol": "auto"})
    raw = server.exchange(LINE + b"GET / HTTP/1.0\r\n\r\n")
    assert b'"REMOTE_ADDR": "192.0.2.7"' in raw


@pytest.mark.wire
def test_an_idle_connection_ends_with_the_server(serve_probe):
    server = serve(serve_probe, tcp_defer_accept=False)
    with server.connect() as silent, server.connect() as introduced:
        introduced.send(LINE)
        counted(server, "requests")
        server.stop().check()
        assert silent.at_end() and introduced.at_end()


@pytest.mark.parametrize(("value", "name"), [("v3", "ValueError"), (1, "TypeError")])
def test_what_it_cannot_be(serve_probe, value, name):
    outcome = serve_probe("introduced.py", config={"proxy_protocol": value}).wait()
    assert outcome.returncode == 1
    assert name in outcome.stderr and "config.proxy_protocol" in outcome.stderr

"""Who the client is, by each family of sockets.

The original read the address of every client as IPv4's: of others it told what was in its memory.
"""

import socket

import pytest

pytestmark = pytest.mark.wire


def call(program):
    """The environ of one call, by key, and the answer's client port if it has one."""
    with program.connect() as client:
        client.send(b"GET /echo/x HTTP/1.0\r\n\r\n")
        name = client.own_address
        assert client.read_to_end().endswith(b"echo:/x")
    environ = dict(program.wait_for("call")["environ"])
    return {key: value for key, (_, value) in environ.items()}, name


def has_ipv6():
    """Whether this machine has an IPv6 loopback."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_ipv4(start_any):
    environ, name = call(start_any("reporter.py", "stock", "localhost", "0"))
    assert environ["REMOTE_ADDR"] == environ["fapws.remote_addr"] == name[0] == "127.0.0.1"
    assert environ["fapws.remote_port"] == str(name[1])
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("localhost", "0")


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_ipv6(start_ours):
    environ, name = call(start_ours("reporter.py", "stock", "::1", "0"))
    assert environ["REMOTE_ADDR"] == environ["fapws.remote_addr"] == name[0] == "::1"
    assert environ["fapws.remote_port"] == str(name[1])
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("::1", "0")


def test_unix_socket(start_ours, tmp_path):
    path = str(tmp_path / "socket")
    environ, _ = call(start_ours("reporter.py", "stock", path, "unix"))
    assert environ["REMOTE_ADDR"] == environ["fapws.remote_addr"] == ""
    assert environ["fapws.remote_port"] == "0"
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (path, "unix")

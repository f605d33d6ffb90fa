"""The PROXY protocol as HAProxy speaks it: for its clients, and for its own health checks."""

import json
import pathlib
import signal

import pytest
import upstream
from proxies import find_program
from support.client import Client
from support.ports import free_ports
from support.process import Process, wait_until
from support.server import Server

CONFIGURATION = """
defaults
    mode {mode}
    timeout connect 5s
    timeout client 60s
    timeout server 60s

frontend site
    bind 127.0.0.1:{front}
    {admits}
    default_backend fapws

frontend state
    mode http
    bind 127.0.0.1:{state}
    monitor-uri /state
    acl is_down nbsrv(fapws) lt 1
    monitor fail if is_down

backend fapws
    {check}
    server one 127.0.0.1:{fapws} check inter 100ms {options}
"""

#: What a client says of itself to HAProxy, which passes it on.
FROM_AFAR = b"PROXY TCP4 198.51.100.7 198.51.100.1 4711 80\r\n"
FROM_AFAR_6 = b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 80\r\n"


class HaproxyOnTcp(Process):
    """HAProxy in front of a server that takes the PROXY protocol."""

    def __init__(self, server, options, check, mode, folder):
        self.port, self.state_port = free_ports(2, "127.0.0.1")
        admits = "tcp-request connection expect-proxy layer4"
        values = {"front": self.port, "state": self.state_port, "fapws": server.address[1]}
        text = CONFIGURATION.format(
            options=options, check=check, mode=mode, admits=admits, **values
        )
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "haproxy.cfg").write_text(text)
        program = find_program("haproxy", packaged=True)
        super().__init__([program, "-f", folder / "haproxy.cfg"], folder)

    def state(self):
        """200 while HAProxy finds the server well, 503 otherwise; None before it serves."""
        try:
            with Client(("127.0.0.1", self.state_port)) as client:
                client.send(b"GET /state HTTP/1.1\r\nHost: a\r\n\r\n")
                return client.response().status
        except OSError:
            return None

    def stop(self, number=signal.SIGUSR1):
        return super().stop(number)


@pytest.mark.parametrize(
    ("versions", "options", "check"),
    [
        ("v1", "send-proxy", ""),
        ("v1", "send-proxy", "option httpchk GET /hello"),
        ("v2", "send-proxy-v2", ""),
        ("v2", "send-proxy-v2", "option httpchk GET /hello"),
        (
            "auto",
            "send-proxy-v2 proxy-v2-options crc32c,unique-id,ssl",
            "option httpchk GET /hello",
        ),
    ],
)
@pytest.mark.parametrize("mode", ["tcp", "http"])
def test_clients_and_health_checks(python3, start_process, versions, options, check, mode):
    config = {"proxy_protocol": versions, "header_timeout": 5}
    path = pathlib.Path(upstream.__file__)
    server = start_process(Server, python3, path, dialect="standard", config=config)
    haproxy = start_process(HaproxyOnTcp, server, options, check, mode)
    wait_until(lambda: haproxy.state() == 200, "HAProxy to find the server well")
    expected = {FROM_AFAR: "198.51.100.7", FROM_AFAR_6: "2001:db8::7"}
    for header, address in expected.items():
        with Client(("127.0.0.1", haproxy.port)) as client:
            for _ in range(3):
                client.send(header + b"GET /seen HTTP/1.1\r\nHost: a\r\n\r\n")
                seen = json.loads(client.response().body)
                assert (seen["REMOTE_ADDR"], seen["REMOTE_PORT"]) == (address, "4711")
                header = b""
    # Its checks go on meanwhile, and none of them is malformed.
    for _ in range(5):
        assert haproxy.state() == 200
    with Client(("127.0.0.1", haproxy.port)) as client:
        client.send(FROM_AFAR + b"GET /counters HTTP/1.1\r\nHost: a\r\n\r\n")
        assert json.loads(client.response().body)["rejected"] == 0


def test_a_server_that_expects_another_version_is_found_ill(python3, start_process):
    config = {"proxy_protocol": "v1"}
    path = pathlib.Path(upstream.__file__)
    server = start_process(Server, python3, path, dialect="standard", config=config)
    check = "option httpchk GET /hello"
    haproxy = start_process(HaproxyOnTcp, server, "send-proxy-v2", check, "tcp")
    wait_until(lambda: haproxy.state() == 503, "HAProxy to find the server ill")

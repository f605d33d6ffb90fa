"""`config.proxy_headers` and `config.root_path`: the client's URL and address, not the proxy's."""

import json
import random
import socket

import pytest
from standard.message import request
from support.client import Client

BELIEVES = {"proxy_headers": True, "forwarded_allow_ips": "127.0.0.1,10.0.0.0/8"}


def seen(client, headers=(), target="/", host="probe"):
    """What the application saw."""
    client.send(request(target, headers=headers, host=host))
    return json.loads(client.response().body)


def named(text):
    """`"For: a; Proto: b"` as header fields."""
    pairs = [each.split(": ", 1) for each in text.split("; ")] if text else []
    own = {"Forwarded": "Forwarded"}
    return [(own.get(name, f"X-Forwarded-{name}"), value) for name, value in pairs]


@pytest.fixture
def believing(serve_probe):
    return serve_probe("behind.py", config=BELIEVES)


@pytest.mark.wire
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("For: 192.0.2.7", {"REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": ""}),
        ("For: 192.0.2.7:4711", {"REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "4711"}),
        ("For: 192.0.2.9, 192.0.2.7, 10.0.0.1", {"REMOTE_ADDR": "192.0.2.7"}),
        ("For: 192.0.2.9, nonsense", {"REMOTE_ADDR": "127.0.0.1"}),
        ("Proto: https; For: 192.0.2.7", {"wsgi.url_scheme": "https"}),
        ("Proto: https; Host: a.example", {"HTTP_HOST": "a.example", "SERVER_PORT": None}),
        ("Host: a.example:81", {"HTTP_HOST": "a.example:81"}),
        ("Host: a/b", {"HTTP_HOST": "probe"}),
        ("Port: 81", {"HTTP_HOST": "probe:81", "SERVER_PORT": "81"}),
        ("Port: 443; Proto: https", {"HTTP_HOST": "probe", "SERVER_PORT": "443"}),
        ("Prefix: /app", {"SCRIPT_NAME": "/app", "PATH_INFO": "/"}),
        ("Prefix: //evil.example", {"SCRIPT_NAME": ""}),
        (
            'Forwarded: for="[2001:db8::7]:4711";proto=https;host=a.example',
            {
                "REMOTE_ADDR": "2001:db8::7",
                "REMOTE_PORT": "4711",
                "wsgi.url_scheme": "https",
                "HTTP_HOST": "a.example",
            },
        ),
        ("Forwarded: for=192.0.2.8; For: 192.0.2.7", {"REMOTE_ADDR": "192.0.2.7"}),
    ],
)
def test_what_a_trusted_peer_says(believing, headers, expected):
    with believing.connect() as client:
        plain = seen(client)
        expected = {key: plain[key] if value is None else value for key, value in expected.items()}
        # A head that was seen before is cached, with what it said.
        for _ in range(4):
            found = seen(client, named(headers))
            assert {key: found[key] for key in expected} == expected
        assert seen(client) == plain


@pytest.mark.wire
def test_other_peers_say_nothing(believing):
    everything = named("For: 192.0.2.7; Proto: https; Host: a.example; Port: 81; Prefix: /app")
    with Client(believing.address) as client:
        client.socket.close()
        client.socket = socket.create_connection(believing.address, 60, ("127.0.0.2", 0))
        stranger = seen(client)
        assert stranger["REMOTE_ADDR"] == "127.0.0.2"
        for _ in range(4):
            assert seen(client, everything) == stranger


@pytest.mark.wire
@pytest.mark.parametrize("believes", [True, False])
def test_the_access_log_has_the_client(serve_probe, tmp_path, believes):
    log = tmp_path / "access.log"
    config = dict(BELIEVES, proxy_headers=believes, access_log=str(log))
    server = serve_probe("behind.py", config=config)
    with server.connect() as client:
        for _ in range(4):
            seen(client, named("For: 2001:db8::7, 10.0.0.1"))
        # A message that is rejected has its line, too.
        client.send(b"GET / HTTP/1.1\r\nX-Forwarded-For: 2001:db8::7\r\n\r\n")
        assert client.response().status == 400
    server.stop().check()
    lines = log.read_text().splitlines()
    address = "2001:db8::7" if believes else "127.0.0.1"
    assert [line.split()[0] for line in lines] == [address] * 5


@pytest.mark.wire
def test_it_is_off_by_default(serve_probe):
    server = serve_probe("behind.py")
    with server.connect() as client:
        plain = seen(client)
        sent = named("For: 192.0.2.7; Host: a.example; Port: 81; Prefix: /app")
        assert seen(client, [*sent, ("Forwarded", "for=192.0.2.7")]) == plain


def test_a_prefix_comes_before_that_of_a_registered_application(believing):
    with believing.connect() as client:
        for _ in range(4):
            found = seen(client, named("Prefix: /app"), "/registered/x?y")
            assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == ("/app/registered", "/x")


def test_it_reads_them_as_proxyfix_does(serve_probe):
    """On lists that no proxy writes: the application's own ProxyFix is the judge."""
    plain = serve_probe("behind.py", config={"forwarded_allow_ips": ""})
    core = serve_probe("behind.py", config=BELIEVES)
    draw = random.Random(20)
    nodes = ["192.0.2.7", "10.0.0.1", "10.0.0.2:81", "[2001:db8::7]:4711", "_x", "", "1.2.3"]
    words = {
        "For": nodes,
        "Proto": ["http", "https", "HTTPS"],
        "Host": ["a.example", "b.example:81", "c/d", "[::1]"],
    }
    pairs = ["for=10.0.0.1", "for=192.0.2.7", 'for="[::1]:80"', "for=_x", "proto=https", "by=x"]
    pairs += ["host=a.example", 'host="b.example:81"', 'for="', "for=a b", "for", ""]
    keys = ["REMOTE_ADDR", "REMOTE_PORT", "wsgi.url_scheme", "HTTP_HOST"]

    def compare(judged_by, headers):
        with plain.connect() as judge, core.connect() as client:
            expected, found = seen(judge, headers, judged_by), seen(client, headers)
            is_unknown = found["REMOTE_ADDR"] == "127.0.0.1"
            compared = [key for key in keys if key != "REMOTE_PORT" or not is_unknown]
            assert [found[key] for key in compared] == [expected[key] for key in compared], headers

    for _ in range(60):
        headers = [
            (f"X-Forwarded-{name}", ", ".join(draw.choices(choice, k=draw.randint(1, 3))))
            for name, choice in words.items()
            if draw.random() < 0.7
        ]
        # That the scheme of the nearest proxy counts is forwarded_allow_ips's own rule.
        if any(name == "X-Forwarded-For" for name, _ in headers):
            readable = dict(headers)["X-Forwarded-For"].split(", ")[-1] not in ("_x", "", "1.2.3")
            if readable:
                compare("/fixed", headers)
        elements = [";".join(draw.choices(pairs, k=draw.randint(1, 3))) for _ in range(2)]
        compare("/rfc7239", [("Forwarded", ", ".join(elements))])


@pytest.mark.wire
@pytest.mark.parametrize(
    ("target", "script_name", "path_info"),
    [
        ("/app/x?y", "/app", "/x"),
        ("/app", "/app", ""),
        ("/app/", "/app", "/"),
        ("/app?y", "/app", ""),
        ("/x", "/app", "/x"),
        ("/apple", "/app", "/apple"),
        ("/", "/app", "/"),
        ("/app/registered/x", "/app/registered", "/x"),
        ("/registered/x", "/app/registered", "/x"),
    ],
)
@pytest.mark.parametrize("root_path", ["/app", "/app/"])
def test_the_root_path(serve_probe, root_path, target, script_name, path_info):
    server = serve_probe("behind.py", config={"root_path": root_path})
    with server.connect() as client:
        for _ in range(4):
            found = seen(client, target=target)
            assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == (script_name, path_info)
            assert found["REQUEST_URI"] == target


@pytest.mark.wire
def test_the_root_path_wins_over_a_header(serve_probe):
    server = serve_probe("behind.py", config=dict(BELIEVES, root_path="/app"))
    with server.connect() as client:
        for target in "/x", "/app/x":
            found = seen(client, named("Prefix: /other"), target)
            assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == ("/app", "/x")


def test_an_environ_of_ones_own(serve_probe):
    server = serve_probe("own_base.py", config=dict(BELIEVES, root_path="/app"))
    assert server.get("/switch").body == b"switched"
    with server.connect() as client:
        headers = named("For: 192.0.2.7; Proto: https; Host: a.example")
        client.send(request("/app/environ", headers=headers))
        values = json.loads(client.response().body)["values"]
        assert values["REMOTE_ADDR"] == ["str", "192.0.2.7"]
        assert values["HTTP_HOST"] == ["str", "a.example"]
        assert values["wsgi.url_scheme"] == ["str", "https"]


@pytest.mark.parametrize(
    ("config", "name"),
    [({"root_path": "app"}, "ValueError"), ({"root_path": 5}, "TypeError")],
)
def test_what_it_cannot_be(serve_probe, config, name):
    outcome = serve_probe("behind.py", config=config).wait()
    assert outcome.returncode == 1
    assert name in outcome.stderr and "config.root_path" in outcome.stderr

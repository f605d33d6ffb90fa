"""Fapws behind nginx, HAProxy and pound: over TCP and a unix socket, plain and with TLS."""

import concurrent.futures
import json
import pathlib
import tempfile

import pytest
import upstream
from proxies import Haproxy, Nginx, Pound, find_program

UPSTREAM = pathlib.Path(upstream.__file__)


@pytest.fixture(params=[Nginx, Haproxy, Pound], ids=lambda kind: kind.program)
def kind(request):
    """A class of `proxies` whose program is on this machine."""
    find_program(request.param.program, request.param.packaged)
    return request.param


@pytest.fixture
def environment(request, dialect):
    """The legacy dialect where deployments of it are, on 2.7; the standard one on the newest 3."""
    return request.getfixturevalue("python2" if dialect == "legacy" else "python3")


@pytest.fixture(params=["tcp", "unix"])
def fapws(request, environment, dialect, start_server):
    """Fapws on a port or a unix socket."""
    if request.param == "tcp":
        yield start_server(environment, UPSTREAM, dialect=dialect)
    else:
        # The kernel takes a path of 107 bytes at most.
        with tempfile.TemporaryDirectory(prefix="fapws") as folder:
            path = f"{folder}/upstream.sock"
            yield start_server(environment, UPSTREAM, host=path, port="unix", dialect=dialect)


@pytest.fixture
def proxy(kind, fapws, certificate, start_process):
    """The proxy, running in front of Fapws."""
    return start_process(kind, fapws.address, certificate)


def ask(connection, method, target, body=None, headers=None, **options):
    """The body of the answer, which must be a 200."""
    connection.request(method, target, body, headers or {}, **options)
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200, (answer.status, content)
    return content


def seen(connection, **headers):
    """The environ of a request with these headers."""
    return json.loads(ask(connection, "GET", "/seen?a=%20b", headers=headers))


def test_a_request_says_where_it_comes_from(proxy):
    spoofed = {"X-Forwarded-For": "10.9.8.7", "X-Forwarded-Proto": "gopher"}
    plain = seen(proxy.connect(), **spoofed)
    assert plain["HTTP_X_FORWARDED_FOR"] in ("127.0.0.1", "::1")
    assert plain["HTTP_X_FORWARDED_PROTO"] == "http"
    assert plain["HTTP_HOST"] == f"localhost:{proxy.plain_port}"
    assert (plain["QUERY_STRING"], plain["SCRIPT_NAME"]) == ("a=%20b", "/seen")
    encrypted = seen(proxy.connect_tls(), **spoofed)
    assert encrypted["HTTP_X_FORWARDED_PROTO"] == "https"
    assert encrypted["HTTP_HOST"] == f"localhost:{proxy.tls_port}"


def test_a_mebibyte_goes_up_and_down_unharmed(proxy, dialect):
    for connection in (proxy.connect(), proxy.connect_tls()):
        assert ask(connection, "GET", "/download") == upstream.MEBIBYTE
        assert ask(connection, "POST", "/echo", upstream.MEBIBYTE) == upstream.MEBIBYTE
        if dialect == "standard":
            # The legacy one wants a Content-Length, and not every proxy makes one.
            pieces = [upstream.MEBIBYTE[:100000], upstream.MEBIBYTE[100000:]]
            got = ask(connection, "POST", "/echo", iter(pieces), encode_chunked=True)
            assert got == upstream.MEBIBYTE


def test_the_connection_to_fapws_is_kept(proxy, fapws, dialect):
    connection = proxy.connect()
    ports = [seen(connection)["fapws.remote_port"] for _ in range(10)]
    if not isinstance(fapws.address, tuple):
        assert set(ports) == {0}
    elif dialect == "standard":
        assert len(set(ports)) == 1
    else:
        # The server closes after each answer, and the proxy gets along with it.
        assert len(set(ports)) > 1


def test_many_clients_at_once_are_served(proxy):
    def client(number):
        connection = proxy.connect() if number % 2 else proxy.connect_tls()
        answers = [ask(connection, "GET", "/hello") for _ in range(25)]
        connection.close()
        return answers

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = sum(pool.map(client, range(16)), [])
    assert answers == [b"hello"] * 400

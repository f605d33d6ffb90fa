"""`werkzeug.socket`: an application takes the connection of a request with `Upgrade` over.

The causal ones: a client has read what an application sent before it goes on.
"""

import contextlib
import signal
import socket

import pytest
from standard.message import post, request
from standard.probe import Probe
from support.process import wait_until

UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "echo")]
GREETED = b"Upgrade: echo\r\nConnection: Upgrade\r\n\r\n"


@pytest.fixture(params=[1, 3], ids=["one-thread", "threads"])
def sockets(request, interpreter, serve_probe):
    if interpreter.version[0] < 3:
        pytest.skip("the socket needs Python 3")
    return serve_probe("sockets.py", config={"threads": request.param})


def upgrade(target, headers=(), **more):
    return request(target, headers=[*UPGRADE, *headers], **more)


def received(server, *pieces):
    """Everything that comes to the connection's end, whether in order or by a reset."""
    with server.connect() as client:
        client.send(*pieces)
        return client.read_to_end()


def keys(server, *pieces):
    return set(server.request(*pieces).body.decode().split(";")) - {""}


def test_only_a_request_with_upgrade_has_the_key(sockets):
    assert keys(sockets, request("/keys", headers=[("X-Other", "1")])) == {"HTTP_X_OTHER=1"}
    assert keys(sockets, request("/keys", headers=[("Connection", "Upgrade")])) == set()
    assert keys(sockets, request("/keys", headers=[*UPGRADE[:1], ("Upgrade", "")])) == set()
    # RFC 9110 section 7.8: ignored in HTTP/1.0.
    assert "werkzeug.socket" not in keys(sockets, upgrade("/keys", version="HTTP/1.0"))


def test_what_a_handshake_needs_is_in_the_environ(sockets):
    """But no other field that `Connection` names: it is the connection's."""
    headers = [("Connection", "Upgrade, X-Other"), ("Upgrade", "websocket"), ("X-Other", "1")]
    headers.append(("Sec-WebSocket-Key", "abc"))
    expected = {"HTTP_UPGRADE=websocket", "HTTP_CONNECTION=Upgrade, X-Other"}
    expected |= {"HTTP_SEC_WEBSOCKET_KEY=abc", "werkzeug.socket"}
    with sockets.connect() as client:
        # Several on a connection: heads that were seen before are not parsed again.
        for _ in range(4):
            client.send(request("/keys", headers=headers))
            assert set(client.response().body.decode().split(";")) == expected


def test_an_echo(sockets):
    with sockets.connect() as client:
        client.send(upgrade("/echo"))
        client.read_until(GREETED)
        for message in [b"one", b"two" * 1000, b"GET / HTTP/1.1\r\n\r\n"]:
            client.send(message)
            assert client.read_exactly(len(message)) == message
        client.half_close()
        assert client.at_end()
    assert sockets.eventually("echo", bool) == ["end"]
    assert sockets.request(request("/")).body == b"hello"


def test_to_look_at_it_takes_nothing(sockets):
    with sockets.connect() as client:
        for _ in range(3):
            client.send(upgrade("/looks"))
            assert client.response().body == b"looked"
        client.send(request("/"))
        assert client.response().body == b"hello"


def test_it_is_a_blocking_socket(sockets):
    assert received(sockets, upgrade("/facts")) == b"(True, True, True, True, True, True, True)"


WAYS = ["recv", "peek", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into"]


@pytest.mark.wire
@pytest.mark.parametrize("way", [*WAYS, "makefile", "all"])
def test_what_came_behind_the_head_comes_first(sockets, way):
    behind = b"abcd\n"
    with sockets.connect() as client:
        client.send(upgrade(f"/first?{way}") + behind)
        if way == "all":  # waits for eight bytes
            client.send(b"efg")
            behind += b"efg"
        client.read_until(b"first:" + behind)
        client.send(b"more")
        assert client.read_to_end() == b",rest:more"


def test_a_body_comes_with_the_request(sockets):
    with sockets.connect() as client:
        client.send(post("/echo", b"body", UPGRADE) + b"behind")
        client.read_until(GREETED)
        assert client.read_exactly(10) == b"bodybehind"


def test_what_was_to_be_written_before_is_written(sockets):
    """The responses to pipelined requests, were they more than the kernel takes."""
    with sockets.connect(receive_buffer=4096) as client:
        client.send(request("/") * 3 + upgrade("/echo") + b"behind")
        for _ in range(3):
            assert client.response().body == b"hello"
        client.read_until(GREETED)
        assert client.read_exactly(6) == b"behind"


def test_what_write_was_given_before_is_written(sockets):
    with sockets.connect(receive_buffer=65536) as client:
        client.send(upgrade("/written"))
        client.read_until(b"\r\n\r\n")
        assert client.read_exactly(3_000_000) == b"w" * 3_000_000
        assert client.read_to_end() == b"mine"


def test_response_and_exceptions_are_dropped(sockets):
    assert received(sockets, upgrade("/raises")) == b"before"
    assert received(sockets, upgrade("/responds")) == b"mine"
    assert sockets.eventually("body", bool) == ["closed"]
    assert received(sockets, upgrade("/generated")) == b"mine"
    assert sockets.eventually("generated", bool) == ["closed"]
    outcome = sockets.stop()
    outcome.check()
    assert "RuntimeError" not in outcome.transcript


def test_it_is_too_late_once_the_response_has_begun(sockets):
    assert sockets.request(upgrade("/later")).body == b"begun,too late"
    with sockets.connect() as client:
        client.send(upgrade("/keep"))
        assert client.response().body == b"kept"
        assert sockets.request(request("/use")).body == b"OSError"
        client.send(request("/"))
        assert client.response().body == b"hello"


def test_the_end_reaches_threads_that_read_on(sockets):
    before = int(sockets.request(request("/drop")).body)
    with sockets.connect() as client:
        client.send(upgrade("/threaded"))
        assert client.read_to_end() == b"ready"
        assert sockets.eventually("thread", bool) == ["end"]
    # Closed, though the application still refers to it.
    wait_until(
        lambda: sockets.descriptors <= before, f"{before} descriptors as before"
    )
    sockets.request(request("/drop"))


def test_closed_by_the_application_it_is_closed_at_once(sockets, tmp_path):
    flag = tmp_path / "flag"
    assert received(sockets, upgrade(f"/closes?{flag}")) == b"bye"
    flag.touch()
    assert sockets.eventually("closes", lambda seen: len(seen) == 2) == ["closed", "returned"]


def test_a_child_of_a_fork_takes_nothing(sockets):
    assert sockets.request(upgrade("/forks")).body == b"0"


def test_many_connections_leave_nothing_behind(sockets):
    before = int(sockets.request(request("/drop")).body)
    for _ in range(50):
        with sockets.connect() as client:
            client.send(upgrade("/echo") + b"x")
            client.read_until(GREETED + b"x")
    assert len(sockets.eventually("echo", lambda seen: len(seen) == 50)) == 50
    wait_until(lambda: sockets.descriptors <= before, "the descriptors to be closed")


def test_clients_that_reset_end_their_call(sockets):
    for _ in range(3):
        client = sockets.connect()
        client.send(upgrade("/echo"))
        client.read_until(GREETED)
        client.reset()
    assert sockets.request(request("/")).body == b"hello"


def test_hello_goes_on_beside_them(interpreter, serve_probe):
    if interpreter.version[0] < 3:
        pytest.skip("threads need Python 3")
    server = serve_probe("sockets.py", config={"threads": 110})
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(100)]
        for number, client in enumerate(clients):
            client.send(upgrade("/echo"))
            client.read_until(GREETED)
            assert server.request(request("/")).body == b"hello", number
        assert server.request(request("/stats")).body == b"100"
        for number, client in enumerate(clients):
            client.send(b"%03d" % number)
        for number, client in enumerate(clients):
            assert client.read_exactly(3) == b"%03d" % number
    assert len(server.eventually("echo", lambda seen: len(seen) == 100)) == 100
    assert server.request(request("/stats")).body == b"0"


def test_the_graceful_end_waits_for_it(interpreter, serve_probe):
    if interpreter.version[0] < 3:
        pytest.skip("threads need Python 3")
    server = serve_probe("sockets.py", config={"threads": 3})
    with server.connect() as client:
        client.send(upgrade("/echo"))
        client.read_until(GREETED)
        server.send_signal(signal.SIGTERM)
        wait_until(lambda: not server.accepts(), "the listener to close")
        client.send(b"still")
        assert client.read_exactly(5) == b"still"
        client.half_close()
        assert client.at_end()
    server.wait().check()


def test_the_end_of_its_patience_shuts_it_down(interpreter, serve_probe):
    """The application sees the end of its client, were it in the main thread."""
    if interpreter.version[0] < 3:
        pytest.skip("threads need Python 3")
    server = serve_probe("sockets.py", config={"threads": 3, "graceful_timeout": 0.5})
    with server.connect() as client:
        client.send(upgrade("/echo"))
        client.read_until(GREETED)
        server.send_signal(signal.SIGTERM)
        assert client.at_end()
    server.wait().check()


def test_the_end_of_the_server_leaves_time_for_last_words(sockets):
    with sockets.connect() as client:
        client.send(upgrade("/farewell"))
        client.read_until(b"hello,")
        sockets.send_signal(signal.SIGTERM)
        # The loop sees it when the call is over, or at once where another thread has the loop.
        wait_until(lambda: not sockets.pending(signal.SIGTERM), "the handler")
        client.send(b"x")
        assert client.read_to_end() == b"last words"
    sockets.wait().check()


@pytest.mark.wire
def test_its_line_in_the_access_log(interpreter, serve_probe, tmp_path):
    """When the call is over, with the status of what the application did."""
    if interpreter.version[0] < 3:
        pytest.skip("the socket needs Python 3")
    log = tmp_path / "access.log"
    config = {"access_log": str(log), "access_log_format": "%(m)s %(U)s %(s)s %(B)s"}
    server = serve_probe("sockets.py", config=config)
    with server.connect() as client:
        client.send(upgrade("/echo") + b"x")
        client.read_until(GREETED + b"x")
    assert server.request(request("/")).body == b"hello"
    wait_until(lambda: log.read_text().count("\n") == 2, "two lines")
    assert log.read_text().splitlines() == ["GET /echo 101 0", "GET / 200 5"]


@pytest.mark.wire
def test_on_a_unix_socket(interpreter, start_process, tmp_path):
    if interpreter.version[0] < 3:
        pytest.skip("the socket needs Python 3")
    path = str(tmp_path / "socket")
    server = start_process(Probe, interpreter, "sockets.py", host=path, port="unix")
    with server.connect() as client:
        assert client.socket.family == socket.AF_UNIX
        client.send(upgrade("/echo") + b"x")
        client.read_until(GREETED + b"x")


@pytest.mark.wire
def test_the_legacy_dialect_has_none(interpreter, start_process):
    server = start_process(Probe, interpreter, "sockets.py", dialect="legacy")
    answer = server.request(upgrade("/keys"))
    assert b"HTTP_UPGRADE" in answer.body and b"werkzeug" not in answer.body

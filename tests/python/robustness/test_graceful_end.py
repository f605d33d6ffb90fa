"""The end at SIGTERM and SIGINT: nothing in flight is cut, nothing idle is waited for."""

import functools
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
from support.client import ProtocolError
from support.process import wait_until
from standard.message import request, respond
from standard.probe import Peer, Probe

BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


def refuses(probe):
    """Whether a new connection is turned away."""
    try:
        socket.create_connection(probe.address, timeout=5).close()
    except OSError:
        return True
    return False


@BOTH
def test_idle_server(serve_probe, dialect, number):
    probe = serve_probe("probe.py", dialect=dialect)
    # It listens before `run` is called; an answer says that `run` serves.
    assert probe.request(request("/")).body == b"hello"
    outcome = probe.stop(number).check()
    assert "run() returned" in outcome.stdout
    assert ("Bye." in outcome.stdout) == (number == signal.SIGINT)


@pytest.mark.wire
@BOTH
def test_idle_connections_are_closed(serve_probe, number):
    probe = serve_probe("probe.py")
    clients = [probe.connect() for _ in range(5)]
    for client in clients:
        client.send(request("/"))
        assert client.response().body == b"hello"
    probe.send_signal(number)
    for client in clients:
        assert client.read_to_end() == b""
    probe.wait().check()


@pytest.mark.wire
def test_a_lively_connection_is_not_cut(serve_probe):
    """A client that was answered a moment ago may have its next request on the way: it is served,
    as the last one. The moment is short, so a machine that stands still gets more tries."""
    for _ in range(5):
        probe = serve_probe("probe.py")
        with probe.connect() as client, probe.connect() as waiting:
            client.send(request("/"))
            assert client.response().body == b"hello"
            waiting.send(request("/")[:-2])
            probe.send_signal(signal.SIGTERM)
            wait_until(functools.partial(refuses, probe), "the server to stop accepting")
            client.send(request("/"))
            served = client.is_answered()
            if served:
                answer = client.response()
                assert (answer.body, answer.header("Connection")) == (b"hello", "close")
                assert client.read_to_end() == b""
            waiting.send(b"\r\n")
            assert waiting.response().body == b"hello"
        probe.wait().check()
        if served:
            return
    pytest.fail("no request after the signal was served")


@pytest.mark.wire
def test_everyone_in_the_queue_is_served(serve_probe):
    """They had connected, and sent their requests, before the signal came."""
    probe = serve_probe("probe.py")
    with probe.connect() as busy:
        busy.send(request("/sleep?2"))
        clients = [probe.connect() for _ in range(300)]
        for client in clients:
            client.send(request("/"))
        probe.send_signal(signal.SIGTERM)
        assert busy.response().body == b"slept"
        for client in clients:
            assert client.response().body == b"hello"
            client.close()
    probe.wait().check()


@pytest.mark.wire
def test_a_stream_of_clients_does_not_go_on(serve_probe, dialect):
    """New ones come all the time, and each takes a moment: the server ends all the same."""
    probe = serve_probe("probe.py", dialect=dialect, config={"graceful_timeout": 1})

    def ask():
        while probe.alive:
            try:
                probe.request(request("/sleep?0.02", headers=[("Connection", "close")]))
            except (OSError, ProtocolError):
                time.sleep(0.01)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(20)]
    for thread in threads:
        thread.start()
    probe.request(request("/"))
    probe.stop().check()
    for thread in threads:
        thread.join(60)


@pytest.mark.wire
@BOTH
def test_upload_in_flight(serve_probe, dialect, number):
    """It began before the signal: it is taken in and answered, and that is the last answer."""
    probe = serve_probe("probe.py", dialect=dialect)
    with probe.connect() as client:
        client.send(request("/digest", "POST", [("Content-Length", "300000")], b"x" * 100_000))
        probe.request(request("/"))
        probe.send_signal(number)
        wait_until(lambda: refuses(probe), "the server to stop accepting")
        client.send(b"x" * 200_000)
        answer = client.response()
        assert answer.body.startswith(b"300000 ")
        if dialect == "standard":
            assert answer.header("Connection") == "close"
        assert client.read_to_end() == b""
    probe.wait().check()


@BOTH
@pytest.mark.parametrize("shape", ["list", "generator"])
def test_answer_in_flight(serve_probe, dialect, shape, number):
    """A slow reader gets the whole of it."""
    probe = serve_probe("probe.py", dialect=dialect)
    target = respond(shape=shape, items=[["x", 1_000_000]], times=20)
    with probe.connect(receive_buffer=65536) as client:
        client.send(request(target))
        head = client.read_until(b"\r\n\r\n")
        probe.send_signal(number)
        wait_until(lambda: refuses(probe), "the server to stop accepting")
        whole = head + client.read_to_end()
    assert whole.count(b"x") >= 20_000_000
    if shape == "generator" and dialect == "standard":
        assert whole.endswith(b"0\r\n\r\n")
    probe.wait().check()


@pytest.mark.wire
def test_pipelined_requests_in_flight(serve_probe):
    """All that had been received are answered or none is begun; the last answer says it is."""
    probe = serve_probe("probe.py")
    with probe.connect() as client:
        client.send(request("/digest", "POST", [("Content-Length", "10")], b"12345"))
        probe.request(request("/"))
        probe.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(probe), "the server to stop accepting")
        client.send(b"67890" + request("/"))
        answer = client.response()
        assert answer.body.startswith(b"10 ")
        assert answer.header("Connection") == "close"
        assert client.read_to_end() == b""
    probe.wait().check()


class Child(Probe):
    """One whose parent is the test."""

    may_fork = False


@BOTH
@pytest.mark.parametrize("by_parent", [True, False], ids=["parent", "stranger"])
def test_second_signal(interpreter, start_process, number, by_parent):
    """The client never finishes, and graceful_timeout is far: the second signal ends it, whoever
    sends it.
    """
    patient = {"graceful_timeout": 3600, "body_timeout": 3600}
    probe = start_process(Child, interpreter, "probe.py", config=patient)
    with probe.connect() as client:
        client.send(request("/digest", "POST", [("Content-Length", "10")], b"12345"))
        probe.request(request("/"))
        probe.send_signal(number)
        wait_until(lambda: refuses(probe), "the server to stop accepting")
        assert probe.alive
        if by_parent:
            probe.send_signal(number)
        else:
            subprocess.run(["kill", f"-{int(number)}", str(probe.pid)], check=True)
        # Later there would be a 408.
        assert client.read_to_end() == b""
        probe.wait().check()


@pytest.mark.wire
def test_graceful_timeout(serve_probe):
    probe = serve_probe("probe.py", config={"graceful_timeout": 0.5, "body_timeout": 3600})
    with probe.connect() as client:
        client.send(request("/digest", "POST", [("Content-Length", "10")], b"12345"))
        probe.request(request("/"))
        probe.send_signal(signal.SIGTERM)
        probe.wait().check()


def test_close_is_called_at_the_end_too(serve_probe):
    """Of an answer that the second signal cuts."""
    probe = serve_probe("probe.py")
    target = respond(shape="closing", items=[["x", 1 << 20]], times=100, name="shouted")
    with probe.connect(receive_buffer=32768) as client:
        client.send(request(target))
        client.read_until(b"xxx")
        probe.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(probe), "the server to stop accepting")
        probe.send_signal(signal.SIGTERM)
        outcome = probe.wait().check()
    assert outcome.stderr.count("closed shouted") == 1


@pytest.mark.wire
def test_the_address_is_free_at_once(serve_probe, start_process, interpreter):
    """The next server starts while the first still finishes an answer to an open connection."""
    first = serve_probe("probe.py")
    with first.connect(receive_buffer=65536) as client:
        client.send(request(respond(shape="list", items=[["x", 20_000_000]])))
        client.read_until(b"\r\n\r\n")
        first.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(first), "the first server to stop accepting")
        assert first.alive
        second = start_process(Probe, interpreter, "probe.py", port=str(first.address[1]))
        assert second.request(request("/")).body == b"hello"
        assert len(client.read_to_end()) == 20_000_000
    first.wait().check()
    assert second.request(request("/")).body == b"hello"


@pytest.mark.wire
def test_closed_connections_do_not_hold_the_address(serve_probe, start_process, interpreter):
    """The server closed first, so its side is in TIME_WAIT: SO_REUSEADDR is for that."""
    first = serve_probe("probe.py")
    assert first.request(request("/", headers=[("Connection", "close")])).body == b"hello"
    first.stop().check()
    second = start_process(Probe, interpreter, "probe.py", port=str(first.address[1]))
    assert second.request(request("/")).body == b"hello"


def ask_by_path(path):
    """GET / over the unix socket that stands there now: who listens was bound to another name."""
    with Peer(path) as client:
        client.send(request("/"))
        return client.response().body


@pytest.mark.wire
def test_a_unix_socket_is_replaced(serve_probe, start_process, interpreter, tmp_path):
    """While the first server finishes an answer; its end does not delete the second one's file."""
    path = str(tmp_path / "socket")
    first = serve_probe("probe.py", host=path, port="unix")
    with first.connect(receive_buffer=65536) as client:
        client.send(request(respond(shape="list", items=[["x", 20_000_000]])))
        client.read_until(b"\r\n\r\n")
        first.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses_by_path(path), "the first server to stop accepting")
        assert first.alive
        start_process(Probe, interpreter, "probe.py", host=path, port="unix")
        assert ask_by_path(path) == b"hello"
        assert len(client.read_to_end()) == 20_000_000
    first.wait().check()
    assert ask_by_path(path) == b"hello"


def refuses_by_path(path):
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path) != 0


@pytest.mark.wire
def test_a_live_unix_socket_is_not_stolen(serve_probe, start_process, interpreter, tmp_path):
    """A second server by mistake fails to start; the first one never notices."""
    path = str(tmp_path / "socket")
    serve_probe("probe.py", host=path, port="unix")
    with pytest.raises(AssertionError, match="failed to bind"):
        start_process(Probe, interpreter, "probe.py", host=path, port="unix")
    assert ask_by_path(path) == b"hello"


@pytest.mark.wire
def test_a_leftover_unix_socket_is_replaced(serve_probe, tmp_path):
    """Of a server that was killed."""
    path = str(tmp_path / "socket")
    killed = serve_probe("probe.py", host=path, port="unix")
    killed.kill()
    assert os.path.exists(path)
    serve_probe("probe.py", host=path, port="unix")
    assert ask_by_path(path) == b"hello"

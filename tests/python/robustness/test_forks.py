"""A child that the application forked and let come back: it ends there, and serves nobody."""

import os
import signal

import pytest
from standard.message import request


@pytest.mark.parametrize("how, code", [("return", 0), ("exit", 3), ("raise", 1)])
def test_a_child_that_comes_back(serve_probe, dialect, how, code):
    probe = serve_probe("probe.py", dialect=dialect)
    for _ in range(3):
        answer = probe.request(request(f"/fork?{how}", headers=[("Connection", "close")]))
        assert answer.body == b"%d" % code
    outcome = probe.stop().check()
    assert outcome.stdout.count("the child's word") == 3
    assert outcome.stderr.count("ValueError: planned failure") == (3 if how == "raise" else 0)
    assert outcome.stdout.count("run() returned") == 1


def test_a_child_in_the_middle_of_a_body(serve_probe, dialect):
    """Its item is one of the child's, so it goes nowhere."""
    probe = serve_probe("probe.py", dialect=dialect)
    headers = [("Connection", "close")]
    assert probe.request(request("/fork-later", headers=headers)).body == b"began 0"
    assert probe.request(request("/", headers=headers)).body == b"hello"


def test_a_child_that_stays_keeps_no_client_waiting(serve_probe, dialect):
    """It has the connection's descriptor, too, which the end of the answer does not wait for."""
    probe = serve_probe("probe.py", dialect=dialect)
    with probe.connect() as client:
        client.send(request("/fork-away", headers=[("Connection", "close")]))
        answer = client.response()
        assert client.at_end()
    os.kill(int(answer.body), signal.SIGKILL)


def test_a_child_in_close(serve_probe, name):
    probe = serve_probe("probe.py")
    with probe.connect() as client:
        client.send(request(f"/fork-in-close?{name}") + request("/"))
        assert client.response().body == b"closing"
        assert client.response().body == b"hello"
    assert probe.journal(name) == ["5"]


def test_a_child_in_a_signals_handler(serve_probe, name):
    probe = serve_probe("probe.py")
    with probe.connect() as client:
        client.send(request(f"/fork-in-handler?{name}"))
        assert client.response().body == b"set"
        assert probe.eventually(name, len) == ["0"]
        client.send(request("/"))
        assert client.response().body == b"hello"

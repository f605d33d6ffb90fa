"""SIGTERM and SIGINT stay the server's, whatever an application does with handlers of others."""

import signal

import pytest
from standard.message import request
from support.process import wait_until

BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


@pytest.fixture
def server(serve_probe, dialect):
    return serve_probe("handlers.py", dialect=dialect)


def ask(server, target):
    return server.request(request(target, headers=[("Connection", "close")])).body.decode()


def ends_gracefully(server, number, flag):
    """A signal lets a request in flight finish, and ends `run` then."""
    with server.connect() as client:
        client.send(request(f"/wait?{flag}"))
        wait_until(flag.with_name(f"{flag.name}-began").exists, "the application to wait")
        server.send_signal(number)
        wait_until(lambda: not server.pending(number), "the signal to be handled")
        flag.touch()
        assert client.response().body == b"seen"
    assert "run() returned" in server.wait().check().stdout


@BOTH
@pytest.mark.parametrize("change", ["asyncio_run", "restore", "known"])
def test_the_graceful_end_is_kept(server, interpreter, tmp_path, number, change):
    if change == "asyncio_run" and interpreter.major == 2:
        pytest.skip("Python 2 has no asyncio")
    ask(server, f"/{change}")
    ends_gracefully(server, number, tmp_path / "flag")


def test_python_knows_the_handler_in_force(server):
    assert ask(server, "/known") == "EndRun EndRun"


def test_the_handler_in_c_is_put_back(server):
    before = ask(server, "/address")
    assert ask(server, "/restore") == "restored"
    wait_until(lambda: ask(server, "/address") == before, "the handler to be put back")


def test_a_handler_of_the_programs_own_stays(server, tmp_path):
    flag = tmp_path / "flag"
    before = ask(server, "/address")
    assert ask(server, f"/own?{flag}") == "own"
    server.send_signal(signal.SIGTERM)
    wait_until(flag.exists, "the program's handler")
    assert ask(server, "/known").startswith("EndRun f")
    assert ask(server, "/address").split()[0] == before.split()[0]
    assert "run() returned" in server.stop(signal.SIGINT).check().stdout


def test_one_over_ours_may_call_it(server, tmp_path):
    seen = tmp_path / "seen"
    assert ask(server, f"/over?{seen}") == "over"
    ends_gracefully(server, signal.SIGTERM, tmp_path / "flag")
    assert seen.exists()


def test_a_forked_child_ends_as_without_the_server(server):
    assert ask(server, f"/child?{signal.SIGTERM.value}") == "signal 15"
    assert ask(server, f"/child?{signal.SIGINT.value}") == "code 3"
    assert ask(server, "/known") == "EndRun EndRun"

"""How the command ends: at once, after a while, in a hurry, and what is left."""

import os
import signal
import socket
import time

import pytest
from command import HELLO, served_by, write
from support.client import Client
from support.process import wait_until

SLOW = b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n"
HANG = b"GET /hang HTTP/1.1\r\nHost: test\r\n\r\n"


#: Hangs for good; on Python 2 a signal ends a sleep.
HANGING = HELLO.replace("time.sleep({", """while environ["PATH_INFO"] == "/hang":
            try:
                time.sleep(600)
            except EnvironmentError:
                pass
        time.sleep({""")


def refuses(address):
    """Whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(address) != 0


@pytest.mark.wire
def test_who_connects_while_it_drains_is_not_kept_waiting(run_command, home):
    command = run_command("hello:app", "--workers", 2, "--bind", "unix:a.sock")
    with command.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\n")
        command.get("/")
        command.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(command.address), "the end of listening")
        wait_until(lambda: not (home / "a.sock").exists(), "the end of the socket's file")
        assert command.alive  # a request is in flight for as long as this test wants
        client.send(b"x")
        assert client.response().status == 200
    command.wait().check()


def test_quit_ends_at_once_and_leaves_nothing_behind(run_command, home):
    write(home, hello=HANGING)
    command = run_command(
        "hello:app", "--workers", 2, "--bind", "unix:a.sock", "--pid", "a.pid")
    command.wait_for_workers(2)
    with command.connect() as client:
        client.send(HANG)
        time.sleep(0.3)  # for the request to be read; too short a time tests less, and passes
        began = time.monotonic()
        command.stop(signal.SIGQUIT).check()
        # Its graceful_timeout is 30 s.
        assert time.monotonic() - began < 20
        assert client.at_end()
    assert not (home / "a.sock").exists() and not (home / "a.pid").exists()


@pytest.mark.wire
def test_a_shutdown_delay_goes_on_to_serve(run_command):
    command = run_command("hello:app", "--workers", 2, "--shutdown-delay", 3)
    workers = command.wait_for_workers(2)
    command.send_signal(signal.SIGTERM)
    command.wait_for_output("ends in 3 s; until then it serves", "stderr")
    assert served_by(command.get("/"))[0] in workers
    os.kill(min(workers), signal.SIGKILL)
    # A worker that dies is replaced meanwhile.
    wait_until(lambda: len(command.workers - workers) == 1, "a worker in its place")
    assert command.get("/").status == 200
    command.wait().check()


@pytest.mark.wire
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_delay(run_command, number):
    command = run_command("hello:app", "--shutdown-delay", 600)
    command.wait_for_workers(1)
    command.send_signal(signal.SIGTERM)
    command.wait_for_output("until then it serves", "stderr")
    command.stop(number).check()


@pytest.mark.wire
def test_sigint_shortens_what_a_reload_has_begun(run_command, home):
    write(home, hello=HANGING)
    command = run_command("hello:app")
    before = command.wait_for_workers(1)
    with command.connect() as client:
        client.send(HANG)
        time.sleep(0.3)  # for the request to be read; too short a time tests less, and passes
        command.send_signal(signal.SIGHUP)
        command.wait_for_output("reloaded: 1 new worker serves", "stderr")
        assert before & command.workers  # it drains, for 30 s
        began = time.monotonic()
        command.stop(signal.SIGINT).check()
        assert time.monotonic() - began < 20
        assert client.at_end()


def test_a_worker_that_does_not_end_in_time_leaves_a_line(run_command, home):
    write(home, hello=HANGING)
    command = run_command("hello:app", "--graceful-timeout", 1)
    (worker,) = command.wait_for_workers(1)
    with Client(command.address) as client:
        client.send(HANG)
        time.sleep(0.3)  # for the request to be read; too short a time tests less, and passes
        outcome = command.stop().check()
    assert f"process {worker} has not ended in time: its connections are closed" in outcome.stderr


@pytest.mark.long(5)
@pytest.mark.wire
def test_a_worker_that_crashes_again_and_again_is_soon_back(run_command, home):
    write(home, hello=HELLO.replace("time.sleep({", 'environ["PATH_INFO"] == "/die" and os._exit(3)'
        "\n        time.sleep({"))
    command = run_command("hello:app")
    for _ in range(6):
        (worker,) = command.wait_for_workers(1)
        with Client(command.address) as client:
            client.send(b"GET /die HTTP/1.1\r\nHost: test\r\n\r\n")
            assert client.at_end()
        wait_until(lambda worker=worker: worker not in command.workers, "its end")
    command.wait_for_workers(1)
    lines = command.stderr.splitlines()
    pauses = [line.rpartition(", in ")[2] for line in lines if ", in " in line]
    assert pauses and set(pauses) <= {"0.25 s", "0.5 s", "1 s"}


@pytest.mark.wire
def test_winch_drains_the_workers_and_hup_brings_new_ones(run_command):
    command = run_command("hello:app", "--workers", 2)
    before = command.wait_for_workers(2)
    command.send_signal(signal.SIGWINCH)
    wait_until(lambda: not command.workers, "the workers to end")
    assert command.alive
    command.send_signal(signal.SIGHUP)
    assert not command.wait_for_workers(2) & before
    assert command.get("/").status == 200

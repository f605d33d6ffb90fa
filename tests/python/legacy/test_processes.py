"""Several processes on one socket, and signals that are the program's own."""

import os
import signal

import pytest


def test_every_child_of_a_fork_serves(start_any):
    program = start_any("processes.py", "3")
    children = program.wait_for("children")["pids"]
    clients = []
    try:
        for number in range(1, 4):
            client = program.connect()
            clients.append(client)
            client.send(b"GET /hold HTTP/1.0\r\n\r\n")
            # Once this child is busy the next request is another's.
            program.wait_for("holding", number)
        (program.folder / "release").touch()
        answers = [client.read_to_end().partition(b"\r\n\r\n")[2] for client in clients]
        assert sorted(map(int, answers)) == sorted(children)
        holding = [record["pid"] for record in program.of_kind("holding")]
        assert list(map(int, answers)) == holding
    finally:
        for client in clients:
            client.close()
        for child in children:
            os.kill(child, signal.SIGTERM)
    assert program.wait_for("ended")["codes"] == [0, 0, 0]
    assert program.wait().returncode == 0


def test_the_others_go_on_when_a_child_is_killed(start_any):
    program = start_any("processes.py", "2")
    first, second = program.wait_for("children")["pids"]
    os.kill(first, signal.SIGKILL)
    answers = {
        program.exchange(b"GET /who HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")[2] for _ in range(5)
    }
    assert {int(answer) for answer in answers} <= {first, second}
    os.kill(second, signal.SIGTERM)
    assert sorted(program.wait_for("ended")["codes"]) == [0, signal.SIGKILL]
    program.wait()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM])
def test_a_handler_of_the_program_runs_while_the_server_is_idle(start_ours, number):
    # The original runs it at the next call of a Python function, if there ever is one.
    program = start_ours("signals.py")
    for count in range(1, 4):
        program.send_signal(number)
        assert program.wait_for("signal", count)["number"] == number
    assert program.exchange(b"GET /ask HTTP/1.0\r\n\r\n").endswith(b"asked")


def test_a_childs_end_and_an_alarm_are_told(start_ours):
    program = start_ours("signals.py")
    assert program.exchange(b"GET /child HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\n0")
    assert program.wait_for("signal")["number"] == signal.SIGCHLD
    assert program.exchange(b"GET /alarm HTTP/1.0\r\n\r\n").endswith(b"set")
    assert program.wait_for("signal", 2)["number"] == signal.SIGALRM


def test_signals_under_load_cost_no_answer(start_ours):
    program = start_ours("signals.py")
    for _ in range(100):
        program.send_signal(signal.SIGUSR1)
        assert program.exchange(b"GET /ask HTTP/1.0\r\n\r\n").endswith(b"asked")
    assert program.of_kind("signal")


def test_sigpipe_ends_nothing(start_any):
    program = start_any("signals.py")
    for _ in range(3):
        program.send_signal(signal.SIGPIPE)
        assert program.exchange(b"GET /ask HTTP/1.0\r\n\r\n").endswith(b"asked")
    outcome = program.stop().check()
    # A signal may come while the one before it is on its way.
    assert "SIGPIPE encountered !!!! We ignore it." in outcome.stdout.splitlines()


def test_the_handlers_are_the_programs_again_after_run(start_ours):
    # The original leaves libev's handlers for SIGINT, SIGTERM and SIGPIPE.
    program = start_ours("signals.py")
    program.stop().check()
    (handlers,) = program.of_kind("handlers")
    assert handlers["kept"] == [True] * 5 and handlers["default"]

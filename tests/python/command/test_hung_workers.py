"""--timeout: workers that hang or are stopped are noticed, and nobody else is."""

import os
import signal
import socket
import textwrap
import time

import pytest
from command import served_by, write
from support.client import Client
from support.process import wait_until

HANGS = """
    import os, time

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        while path == "/computes":
            pass
        if path == "/sleeps":
            time.sleep(600)
        start_response("200 OK", [])
        if path == "/streams":
            return slowly()
        return [("%d one" % os.getpid()).encode("ascii")]

    def slowly():
        for _ in range(16):
            time.sleep(0.25)
            yield b"x"
"""

GET = b"GET %s HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture
def hanging(run_command, home):
    """`hanging("--timeout", 1)`: an application that hangs where one asks it to."""
    write(home, hangs=HANGS)
    return lambda *arguments: run_command("hangs:app", *arguments)


@pytest.mark.long(4)
def test_with_threads_all_of_them_have_to_hang(hanging, interpreter):
    if interpreter.major == 2:
        return  # it has no threads here
    command = hanging("--threads", 2, "--timeout", 1)
    (worker,) = command.wait_for_workers(1)
    with command.connect() as one, command.connect() as other:
        one.send(GET % b"/sleeps")
        time.sleep(3)  # longer than the timeout, and two looks
        assert served_by(command.get("/"))[0] == worker
        other.send(GET % b"/sleeps")
        wait_until(lambda: worker not in command.workers, "its end")
        assert one.at_end() and other.at_end()
    command.wait_for_workers(1)
    command.kill()


@pytest.mark.parametrize("path", [b"/computes", b"/sleeps"])
def test_a_worker_that_hangs_is_replaced_and_shows_where(hanging, interpreter, path):
    command = hanging("--workers", 2, "--timeout", 1)
    before = command.wait_for_workers(2)
    with command.connect() as client:
        client.send(GET % path)
        wait_until(lambda: before - command.workers, "the end of the worker that hangs")
        assert client.at_end()
    (hung,) = before - command.workers
    command.wait_for_output(f"worker {hung} has been busy with one call for 1 s", "stderr")
    after = command.wait_for_workers(2)
    assert len(after & before) == 1
    assert served_by(command.get("/"))[0] in after
    if interpreter.major == 3:
        assert "hangs.py" in command.stderr
    # The stack comes with words that a crash has too.
    command.kill()


@pytest.mark.wire
def test_a_stopped_worker_is_replaced(hanging):
    command = hanging("--workers", 2, "--timeout", 1)
    before = command.wait_for_workers(2)
    victim = min(before)
    os.kill(victim, signal.SIGSTOP)
    wait_until(lambda: victim not in command.workers, "its end")
    command.wait_for_output(f"worker {victim} has been stopped for 1 s", "stderr")
    assert len(command.wait_for_workers(2) & before) == 1


@pytest.mark.wire
def test_a_worker_that_is_stopped_while_it_starts_is_replaced(run_command, home):
    write(home, late="import os, time\nopen('loads-%d' % os.getpid(), 'w').close()\n"
        "while not os.path.exists('go'):\n    time.sleep(0.01)\n" + textwrap.dedent(HANGS))
    (home / "go").touch()
    command = run_command("late:app", "--timeout", 1)
    (home / "go").unlink()
    command.send_signal(signal.SIGHUP)
    old = {int(path.name.partition("-")[2]) for path in home.glob("loads-*")}

    def loads():
        return {int(path.name.partition("-")[2]) for path in home.glob("loads-*")} - old

    (victim,) = wait_until(loads, "the new worker to load")
    os.kill(victim, signal.SIGSTOP)
    command.wait_for_output(f"worker {victim} has been stopped for 1 s", "stderr")
    (home / "go").touch()
    command.wait_for_output("reloaded: 1 new worker serves", "stderr")


@pytest.mark.long(4)
@pytest.mark.wire
def test_a_worker_that_goes_on_in_time_stays(hanging):
    command = hanging("--workers", 1, "--timeout", 3)
    (worker,) = command.wait_for_workers(1)
    for _ in range(4):
        os.kill(worker, signal.SIGSTOP)
        time.sleep(1)  # four of them are longer than the timeout; each alone is not
        os.kill(worker, signal.SIGCONT)
        assert served_by(command.get("/"))[0] == worker


@pytest.mark.long(6)
@pytest.mark.wire
def test_neither_idle_workers_nor_long_streams_are_late(hanging):
    command = hanging("--workers", 1, "--timeout", 1)
    (worker,) = command.wait_for_workers(1)
    with command.connect() as idle, command.connect() as client:
        client.send(GET % b"/streams")
        assert client.response().body == b"x" * 16  # four seconds
        time.sleep(2)  # idle for longer than the timeout
        idle.send(GET % b"/")
        assert served_by(idle.response())[0] == worker


@pytest.mark.wire
def test_importing_is_not_counted(run_command, home):
    write(home, late="import time\ntime.sleep(3)\n" + HANGS.replace("\n    ", "\n"))
    command = run_command("late:app", "--timeout", 1)
    assert command.get("/").status == 200
    assert "timeout" not in command.stderr


@pytest.mark.long(10)
@pytest.mark.wire
def test_a_pause_of_all_is_nobodys_fault(hanging):
    """A container that is paused, a machine that sleeps: the master sees that it was not there."""
    command = hanging("--workers", 1, "--timeout", 4)
    (worker,) = command.wait_for_workers(1)
    with command.connect() as client:
        client.send(GET % b"/streams")  # for four seconds
        everyone = [command.pid, worker]
        for pid in everyone:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(6)  # longer than the timeout
        for pid in everyone:
            os.kill(pid, signal.SIGCONT)
        assert client.response().body == b"x" * 16
    assert command.workers == {worker}


@pytest.mark.long(5)
@pytest.mark.wire
def test_no_timeout_where_none_is_wanted(hanging):
    for options in (["--timeout", 0], ["--reload", "--timeout", 1]):
        command = hanging("--workers", 1, *options)
        (worker,) = command.wait_for_workers(1)
        os.kill(worker, signal.SIGSTOP)
        time.sleep(2.5)  # more than the timeout and a look
        os.kill(worker, signal.SIGCONT)
        assert served_by(command.get("/"))[0] == worker
        command.stop().check()


@pytest.mark.wire
def test_a_hung_worker_does_not_outlive_its_master_for_long(hanging):
    command = hanging("--graceful-timeout", 1)
    (worker,) = command.wait_for_workers(1)
    with command.connect() as client:
        client.send(GET % b"/computes")
        time.sleep(0.3)  # for the request to be read; too short a time tests less, and passes
        command.kill()

        def is_free():
            with socket.socket() as probe:
                return probe.connect_ex(command.address) != 0

        wait_until(is_free, "the address to be free")
        assert not os.path.exists(f"/proc/{worker}") or client.at_end()


@pytest.mark.long(5)
@pytest.mark.wire
def test_a_hung_worker_gives_systemd_no_sign_of_life(run_command, home, tmp_path):
    write(home, hangs=HANGS)
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(name)
        supervisor.setblocking(False)
        env = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000000"}
        command = run_command("hangs:app", "--timeout", 0, env=env)

        def signs():
            found = 0
            while True:
                try:
                    found += supervisor.recv(4096).count(b"WATCHDOG=1")
                except BlockingIOError:
                    return found

        wait_until(signs, "a sign of life")
        with Client(command.address) as client:
            client.send(GET % b"/sleeps")
            time.sleep(3)  # three times what systemd waits: signs go on until a worker is late
            signs()
            time.sleep(2)
            assert signs() == 0
        command.kill()

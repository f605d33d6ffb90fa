"""SIGUSR2: another master, of the code and interpreter that are there now, and nothing lost."""

import os
import pathlib
import signal
import socket
import textwrap

import pytest
from command import HELLO, served_by, write
from load import under_load
from support.process import wait_until

pytestmark = pytest.mark.wire


def successor_of(command):
    """Wait until another master serves; its process id."""
    def serving():
        for line in command.stderr.splitlines():
            head, found, _ = line.partition(" serves; SIGTERM or SIGQUIT ends this one")
            if found:
                return int(head.split()[-1])
        return None

    return wait_until(serving, "the new master to serve")


def children(pid):
    """The children of a process."""
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return set()
    return set(map(int, text.split()))


def is_alive(pid):
    """Whether a process exists, and is no zombie."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def ends():
    """A list of processes that are ended after the test."""
    pids = []
    yield pids
    for pid in pids:
        if is_alive(pid):
            os.kill(pid, signal.SIGQUIT)
    wait_until(lambda: not any(map(is_alive, pids)), "the new masters to end")


@pytest.mark.parametrize("keep_alive", [True, False], ids=["keep-alive", "one request each"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_new_master_takes_over_and_no_request_is_lost(
        run_anew, home, ends, keep_alive, number):
    command = run_anew(
        "hello:app", "--workers", 2, "--bind", "unix:a.sock", "--pid", "a.pid")
    command.wait_for_workers(2)
    write(home, hello=HELLO.replace('"one"', '"two"'))
    with under_load(command.address, keep_alive) as load:
        command.send_signal(signal.SIGUSR2)
        successor = successor_of(command)
        ends.append(successor)
        before = load.answered
        wait_until(lambda: load.answered > before + 200, "200 more responses")
        if number == signal.SIGTERM:
            command.stop(number).check()
            before = load.answered
            wait_until(lambda: load.answered > before + 200, "200 more responses")
    if number == signal.SIGQUIT:
        # At once: what is in flight is cut, so there is no load meanwhile.
        command.stop(number).check()
    assert served_by(command.get("/"))[1] == "two"
    assert (home / "a.pid").read_text().strip() == str(successor)
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(home / "a.sock"))
    # The new one ends as any does, and takes the files with it.
    os.kill(successor, signal.SIGTERM)
    wait_until(lambda: not is_alive(successor), "its end")
    assert not (home / "a.pid").exists() and not (home / "a.sock").exists()


@pytest.mark.parametrize("fault", ["def (", "import os\nos._exit(3)"])
def test_a_new_release_that_does_not_start_changes_nothing(run_anew, home, fault):
    command = run_anew(
        "hello:app", "--workers", 2, "--bind", "unix:a.sock", "--pid", "a.pid")
    before = command.wait_for_workers(2)
    write(home, hello=fault)
    with under_load(command.address, True):
        command.send_signal(signal.SIGUSR2)
        command.wait_for_output("this master continues", "stderr")
    assert command.workers == before
    assert (home / "a.pid").read_text().strip() == str(command.pid)
    assert (home / "a.sock").exists()
    # The next attempt is no worse for it.
    write(home, hello=HELLO.replace('"one"', '"three"'))
    command.send_signal(signal.SIGUSR2)
    successor = successor_of(command)
    os.kill(successor, signal.SIGTERM)
    ended = f"process {successor} ended (exit code 0): this master continues"
    command.wait_for_output(ended, "stderr")
    # It is the master again, with all that belongs to one.
    assert command.get("/").status == 200
    assert (home / "a.pid").read_text().strip() == str(command.pid)
    command.stop().check()
    assert not (home / "a.pid").exists() and not (home / "a.sock").exists()


def test_systemd_learns_of_the_new_process(run_anew, home, ends, tmp_path):
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(name)
        supervisor.settimeout(60)
        command = run_anew("hello:app", env={"NOTIFY_SOCKET": name})
        command.send_signal(signal.SIGUSR2)
        successor = successor_of(command)
        ends.append(successor)
        seen = b""
        # From the old one, whose word systemd takes, and from the new one.
        while seen.count(b"MAINPID=%d" % successor) < 2:
            seen += supervisor.recv(4096) + b"\n"
        command.stop().check()
        os.kill(successor, signal.SIGTERM)
        while b"STOPPING=1" not in seen.rpartition(b"MAINPID=")[2]:
            seen += supervisor.recv(4096) + b"\n"


def test_one_upgrade_at_a_time(run_anew, home, ends):
    command = run_anew("hello:app")
    write(home, hello="import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.01)\n"
        + textwrap.dedent(HELLO))
    command.send_signal(signal.SIGUSR2)
    command.wait_for_output("is starting", "stderr")
    command.send_signal(signal.SIGUSR2)
    command.wait_for_output("is one already", "stderr")
    (home / "go").touch()
    ends.append(successor_of(command))
    command.stop().check()

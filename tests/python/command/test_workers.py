"""The master and its workers: who is there, who is replaced, and that nobody's request is lost."""

import os
import resource
import signal
import socket
import textwrap
import time

import pytest
from command import HELLO, Command, complaints, log_lines, served_by, write
from load import REQUEST, under_load
from support.process import Process, wait_until


def wait_for_version(command, version):
    """Wait until every worker is of this version of the source."""
    def all_are():
        return {served_by(command.get("/"))[1] for _ in range(8)} == {version}

    wait_until(all_are, f"version {version}")


def test_a_worker_that_dies_is_replaced(run_command):
    command = run_command("hello:app", "--workers", 2)
    before = command.wait_for_workers(2)
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(command.workers - before) == 1, "a worker in its place")
    command.wait_for_output(f"worker {victim} ended (signal 9) and is replaced", "stderr")
    assert served_by(command.get("/"))[0] in command.workers


@pytest.mark.wire
def test_workers_that_die_at_once_are_replaced_more_and_more_slowly(run_command, home):
    write(home, dying="import os\nif os.path.exists('die'):\n    os._exit(3)\n" + HELLO.replace(
        "\n    ", "\n"))
    command = run_command("dying:app", "--workers", 1)
    (home / "die").touch()
    os.kill(min(command.workers), signal.SIGKILL)
    for pause in ["0.25", "0.5", "1"]:
        command.wait_for_output(f"is replaced, in {pause} s", "stderr")
    (home / "die").unlink()
    wait_until(command._answers, "an answer")


@pytest.mark.wire
@pytest.mark.parametrize(
    "source",
    [
        "import os\nos._exit(3)\n",
        # What only run refuses.
        "from fapws import config\nconfig.header_timeout = 'long'\n" + textwrap.dedent(HELLO),
    ],
)
@pytest.mark.parametrize("workers", [1, 3])
def test_a_server_that_never_served_is_given_up(call, home, workers, source):
    write(home, hopeless=source)
    outcome = call("hopeless:app", "--bind", "127.0.0.1:0", "--workers", workers).check(1)
    said = [text for _, _, text in log_lines(outcome.stderr)]
    said = [text for text in said if text.startswith(("worker ", "giving up"))]
    # More, where one is replaced before the last of the others has died.
    assert len(said) >= 3 * workers + 1
    assert said[-1].endswith("giving up: no worker has served after 3 attempts")
    assert said[0].endswith("is replaced, in 0.25 s")


@pytest.mark.long(4)
@pytest.mark.wire
def test_a_server_that_serves_at_another_attempt_goes_on(run_command, home):
    write(home, late="import os\nwith open('tries', 'a') as tries:\n    tries.write('x')\n"
        "if os.path.getsize('tries') < 3:\n    os._exit(3)\n" + textwrap.dedent(HELLO))
    command = run_command("late:app")
    # It has served: from now on it is never given up.
    (home / "tries").unlink()
    os.kill(min(command.workers), signal.SIGKILL)
    wait_until(lambda: command.stderr.count("is replaced") == 5, "two more attempts that fail")
    wait_until(command._answers, "an answer")


def test_a_worker_that_cannot_be_forked_is_tried_again(run_command, home):
    (home / "settings.py").write_text(textwrap.dedent("""
        import errno, os as _os
        _fork = _os.fork

        def _fails():
            if _os.path.exists("no-fork"):
                raise OSError(errno.EAGAIN, _os.strerror(errno.EAGAIN))
            return _fork()

        _os.fork = _fails
    """))
    command = run_command("hello:app", "--workers", 2, "--config", "settings.py")
    before = command.wait_for_workers(2)
    (home / "no-fork").touch()
    os.kill(min(before), signal.SIGKILL)
    wait_until(lambda: command.stderr.count("no new worker: Resource temp") >= 2, "two attempts")
    assert "; next attempt in 0.5 s" in command.stderr
    assert served_by(command.get("/"))[0] == max(before)
    (home / "no-fork").unlink()
    command.wait_for_workers(2)


@pytest.mark.long(7)
def test_a_master_without_descriptors_tries_again(run_command, home):
    # A message to systemd takes one too.
    env = {"NOTIFY_SOCKET": str(home / "nobody")}
    command = run_command("hello:app", "--workers", 2, env=env)
    before = command.wait_for_workers(2)
    limit, most = resource.prlimit(command.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(command.pid, resource.RLIMIT_NOFILE, (3, most))
    os.kill(min(before), signal.SIGKILL)
    wait_until(lambda: command.stderr.count("no new worker: Too many open") >= 2, "two attempts")
    command.send_signal(signal.SIGHUP)
    wait_until(lambda: command.stderr.count("no new worker: Too many open") >= 4, "two more")
    assert served_by(command.get("/"))[0] == max(before)
    resource.prlimit(command.pid, resource.RLIMIT_NOFILE, (limit, most))
    command.wait_for_output("reloaded: 2 new workers serve", "stderr")
    wait_until(lambda: not before & command.workers, "the old worker to end")


@pytest.mark.wire
def test_workers_are_added_and_dropped(run_command):
    command = run_command("hello:app", "--workers", 1)
    command.wait_for_workers(1)
    command.send_signal(signal.SIGTTIN)
    command.wait_for_workers(2)
    command.send_signal(signal.SIGTTOU)
    command.wait_for_workers(1)
    command.send_signal(signal.SIGTTOU)
    # The last one stays; a reload is worked off after the signal before it.
    command.send_signal(signal.SIGHUP)
    command.wait_for_output("reloaded: 1 new worker serves", "stderr")
    assert command.get("/").status == 200


@pytest.mark.wire
def test_usr1_means_nothing_without_an_access_log(run_command):
    command = run_command("hello:app", "--workers", 2)
    before = command.wait_for_workers(2)
    with command.connect() as client:
        client.send(b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
        time.sleep(0.3)  # for the request to be read; too short a time tests less, and passes
        command.send_signal(signal.SIGUSR1)
        # A reload is worked off after the signal before it.
        command.send_signal(signal.SIGHUP)
        command.wait_for_output("reloaded: 2 new workers serve", "stderr")
        assert served_by(client.response())[0] in before
    assert "is replaced" not in command.stderr


def test_the_workers_end_with_their_master(run_command):
    command = run_command("hello:app", "--workers", 2)
    workers = command.wait_for_workers(2)
    command.kill()
    wait_until(lambda: not any(map(alive, workers)), "the workers to end")


@pytest.mark.wire
def test_workers_that_outlive_their_master_keep_no_address(run_command):
    """They finish what is in flight; the next master listens meanwhile."""
    command = run_command("hello:app", "--workers", 1)
    (worker,) = command.wait_for_workers(1)
    with command.connect() as client:
        # A request whose body is late is in flight for as long as this test wants.
        client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\n")
        command.get("/")
        command.kill()

        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(command.address) == 0

        wait_until(lambda: not listens(), "the address to be free")
        assert alive(worker)
        client.send(b"x")
        assert served_by(client.response())[0] == worker
    wait_until(lambda: not alive(worker), "the worker to end")


def alive(pid):
    """Whether a process exists and is no zombie: nobody may be there to bury it."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_finished(run_command, number):
    command = run_command("hello:app", "--workers", 2)
    workers = command.wait_for_workers(2)
    with command.connect() as client:
        client.send(b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
        time.sleep(0.3)  # for the request to be read; too short a time tests less, and passes
        outcome = command.stop(number).check()
        assert served_by(client.response())[0] in workers
        assert client.at_end()
    assert complaints(outcome) == ""
    assert not any(map(alive, workers))


def test_a_reload_takes_new_source_and_new_settings(run_command, home):
    (home / "settings.py").write_text("SERVER_IDENT = 'mine/1.00'\n")
    command = run_command("hello:app", "--workers", 2, "--config", "settings.py")
    before = command.wait_for_workers(2)
    write(home, hello=HELLO.replace('"one"', '"two"'))
    (home / "settings.py").write_text("SERVER_IDENT = 'mine/2.00'\n")
    command.send_signal(signal.SIGHUP)
    wait_for_version(command, "two")
    wait_until(lambda: not before & command.workers, "the old workers to end")
    assert len(command.workers) == 2
    assert command.get("/").header("Server") == "mine/2.00"


@pytest.mark.parametrize("fault", ["def (", "1 / 0", "app = 3", "raise SystemExit"])
def test_a_reload_that_fails_leaves_the_old_workers(run_command, home, fault):
    command = run_command("hello:app", "--workers", 2)
    before = command.wait_for_workers(2)
    write(home, hello=fault)
    command.send_signal(signal.SIGHUP)
    command.wait_for_output("the new workers do not start: the old ones continue", "stderr")
    wait_until(lambda: command.workers == before, "the new ones to be gone")
    assert served_by(command.get("/"))[1] == "one"
    write(home, hello=HELLO.replace('"one"', '"three"'))
    command.send_signal(signal.SIGHUP)
    wait_for_version(command, "three")


@pytest.mark.wire
@pytest.mark.parametrize(
    "source, said",
    [
        ("header_timout = 1", "settings.py: there is no setting header_timout"),
        ("header_timeout = 'long'", "settings.py: header_timeout must be a number, 0 or more"),
        ("\nraise SystemExit(3)", "settings.py, line 2: SystemExit: 3"),
        ("raise GeneratorExit", "settings.py, line 1: GeneratorExit"),
        ("raise KeyboardInterrupt('a')", "KeyboardInterrupt: a"),
    ],
)
def test_wrong_settings_are_no_reason_to_reload(run_command, home, source, said):
    (home / "settings.py").write_text("")
    command = run_command("hello:app", "--config", "settings.py")
    before = command.wait_for_workers(1)
    (home / "settings.py").write_text(source)
    command.send_signal(signal.SIGHUP)
    command.wait_for_output("no reload: " + said, "stderr")
    assert command.workers == before
    (home / "settings.py").write_text("")
    command.send_signal(signal.SIGHUP)
    command.wait_for_output("reloaded: 1 new worker serves", "stderr")


@pytest.mark.wire
def test_settings_that_only_run_refuses_leave_the_old_workers(run_command, home):
    command = run_command("hello:app", "--workers", 2)
    before = command.wait_for_workers(2)
    write(home, hello="import fapws.config\nfapws.config.header_timeout = 'long'\n" + (
        textwrap.dedent(HELLO)))
    command.send_signal(signal.SIGHUP)
    command.wait_for_output("is replaced, in 1 s", "stderr")
    assert before <= command.workers
    assert served_by(command.get("/"))[1] == "one"
    write(home, hello=HELLO.replace('"one"', '"two"'))
    command.send_signal(signal.SIGHUP)
    wait_for_version(command, "two")


@pytest.mark.wire
def test_the_old_workers_go_on_until_the_new_ones_serve(run_command, home):
    command = run_command("hello:app")
    (before,) = command.wait_for_workers(1)
    write(home, hello="import os, time\nopen('begun', 'w').close()\n" + (
        "while not os.path.exists('go'):\n    time.sleep(0.01)\n") + (
        textwrap.dedent(HELLO).replace('"one"', '"two"')))
    with command.connect() as kept:
        command.send_signal(signal.SIGHUP)
        wait_until((home / "begun").exists, "the new worker to load")
        for _ in range(20):
            kept.send(REQUEST)
            assert served_by(kept.response()) == (before, "one")
        (home / "go").touch()
        wait_for_version(command, "two")
        assert kept.at_end()


@pytest.mark.wire
def test_an_endless_grace_is_one(run_command, home):
    (home / "settings.py").write_text("graceful_timeout = float('inf')")
    command = run_command("hello:app", "--config", "settings.py")
    with command.connect() as client:
        client.send(b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
        time.sleep(0.3)  # for the request to be read; too short a time tests less, and passes
        outcome = command.stop().check()
        assert client.response().status == 200
    assert complaints(outcome) == ""


@pytest.mark.wire
def test_a_changed_source_file_is_noticed(run_command, home):
    command = run_command("hello:app", "--reload")
    write(home, hello="def (")
    command.wait_for_output(
        "] waiting for the next change of a source file; the old workers continue\n", "stderr"
    )
    assert "SyntaxError" in command.stderr
    assert served_by(command.get("/"))[1] == "one"
    write(home, hello=HELLO.replace('"one"', '"twentytwo"'))
    wait_for_version(command, "twentytwo")


@pytest.mark.wire
def test_a_first_start_that_fails_waits_for_a_change(start_process, interpreter, home):
    class Waiting(Command):
        def start(self):
            return Process.start(self)

    write(home, hello="def (")
    command = start_process(Waiting, interpreter, "hello:app", "-w", "2", "--reload", home=home)
    command.wait_for_output("] waiting for the next change of a source file\n", "stderr")
    write(home, hello=HELLO)
    command.wait_for_output("reloaded: 2 new workers serve", "stderr")
    command.wait_for_output("serving hello:app on http://127.0.0.1:", "stderr")
    assert command.stderr.count("waiting") == 1
    assert command.get("/").status == 200


def reload(command, load):
    """Reload under load, and wait until the new workers have had their share."""
    before = command.workers
    answered = load.answered
    command.send_signal(signal.SIGHUP)
    wait_until(lambda: not before & command.workers, "the old workers to end")
    wait_until(lambda: load.answered > answered + 500, "500 more answers")


@pytest.mark.wire
@pytest.mark.parametrize("keep_alive", [True, False], ids=["keep-alive", "one request each"])
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_no_request_is_lost_while_it_reloads(run_command, home, keep_alive, kind):
    command = run_command("hello:app", "--workers", 2, "--bind", "unix:a.sock")
    address = command.address if kind == "tcp" else str(home / "a.sock")
    with under_load(address, keep_alive, clients=8) as load:
        for _ in range(4):
            reload(command, load)
    assert load.answered >= 2000

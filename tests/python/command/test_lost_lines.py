"""What becomes of the server when its stdin, stdout and stderr are closed, broken, full or stalled.

Its lines are lost. It starts, replaces a worker that dies, reloads and ends as ever.
"""

import contextlib
import os
import signal

import pytest
from command import HELLO, Once, served_by, write
from redirected import Redirected, fill, pipe, redirected, stalled_terminal
from support.process import wait_until

pytestmark = pytest.mark.each_major

#: The master reads it at each reload; what it prints is lost too.
TALKATIVE = """
import sys as _sys
print("stdout")
_sys.stdout.flush()
_sys.stderr.write("stderr\\n" * 1000)
"""

@contextlib.contextmanager
def closed(folder):
    yield ">&- 2>&-"


@contextlib.contextmanager
def all_closed(folder):
    yield "<&- >&- 2>&-"


@contextlib.contextmanager
def full_device(folder):
    yield "> /dev/full 2> /dev/full"


@contextlib.contextmanager
def full_pipe(folder):
    """A pipe that was full before the server began."""
    with pipe(folder) as end:
        fill(end)
        yield "> pipe 2> pipe"


@contextlib.contextmanager
def nearly_full_pipe(folder):
    """A pipe that can take a page more."""
    with pipe(folder) as end:
        fill(end)
        os.read(end, 4096)
        yield "> pipe 2> pipe"


TERMINALS = [closed, all_closed, full_device, full_pipe, nearly_full_pipe, stalled_terminal]


def goes_on(command, home):
    """Check that the server does all that it should."""
    (before,) = command.wait_for_workers(1)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: command.workers - {before}, "a worker in its place")
    wait_until(lambda: command._answers(), "it to serve")
    write(home, hello=HELLO.replace('"one"', '"two"'))
    command.send_signal(signal.SIGHUP)
    wait_until(lambda: served_by(command.get("/"))[1] == "two", "the new version")
    for _ in range(3):
        # Two at a time would be one reload.
        workers = command.wait_for_workers(1)
        command.send_signal(signal.SIGHUP)
        wait_until(lambda: not workers & command.workers, "the reload")  # noqa: B023
    assert command.get("/").status == 200
    command.stop().check()


@pytest.mark.parametrize("terminal", TERMINALS)
def test_it_serves_whatever_its_terminal_is(start_process, interpreter, home, terminal):
    (home / "settings.py").write_text(TALKATIVE)
    with terminal(home) as redirections:
        command = start_process(
            Redirected, interpreter, redirections, "hello:app", "--config", "settings.py",
            "--access-log", "-", home=home,
        )
        goes_on(command, home)


def test_it_serves_when_nobody_reads_its_pipe_any_more(start_process, interpreter, home):
    (home / "settings.py").write_text(TALKATIVE)
    with pipe(home):
        command = start_process(
            Redirected, interpreter, "> pipe 2> pipe", "hello:app", "--config", "settings.py",
            "--access-log", "-", home=home,
        )
    goes_on(command, home)


def test_nothing_else_gets_the_numbers_of_what_was_closed(start_process, interpreter, home):
    with all_closed(home) as redirections:
        command = start_process(Redirected, interpreter, redirections, "hello:app", home=home)
    for process in {command.pid} | command.wait_for_workers(1):
        opened = [os.readlink(f"/proc/{process}/fd/{number}") for number in range(3)]
        assert opened == ["/dev/null"] * 3


def test_programs_that_an_application_runs_have_what_was_closed(start_process, interpreter, home):
    write(home, runs="""
        import subprocess, sys

        def app(environ, start_response):
            sys.stdout.write("a line")
            code = subprocess.call(["sh", "-c", "cat && echo a && echo b >&2"], close_fds=True)
            start_response("200 OK" if code == 0 else "500 Failed", [])
            return [b""]
    """)
    with all_closed(home) as redirections:
        start_process(Redirected, interpreter, redirections, "runs:app", home=home)


def test_what_is_wrong_is_an_exit_code_on_a_full_device_too(interpreter, home):
    process = Once(interpreter, "hello:app", "--bind", "nonsense", home=home, folder=home / "once")
    process.command = redirected("2> /dev/full", process.command)
    assert process.start().wait().returncode == 2


def test_an_application_that_does_not_load_ends_it_on_a_full_pipe_too(interpreter, home):
    arguments = ["hello:nothing", "--bind", "127.0.0.1:0"]
    with full_pipe(home) as redirections:
        process = Once(interpreter, *arguments, home=home, folder=home / "once")
        process.command = redirected(redirections, process.command)
        assert process.start().wait().returncode == 1

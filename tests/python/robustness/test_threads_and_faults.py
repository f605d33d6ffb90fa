"""Faults with threads: those that cannot be started, calls that never return, signals, exits."""

import contextlib
import os
import pathlib
import signal
import tempfile
import time

import pytest
from standard.message import request
from standard.probe import Probe
from support.process import wait_until

ONCE = "no more threads can be started: the server goes on with those it has"


@pytest.fixture
def serve_threaded(interpreter, serve_probe):
    if interpreter.version[0] < 3:
        pytest.skip("threads need Python 3")
    return lambda threads, **config: serve_probe(
        "threads.py", config={"threads": threads, **config}
    )


@pytest.fixture
def open_folder():
    """One that a user without rights reaches."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield pathlib.Path(folder)


def say_hello(server, times):
    """Each time is a turn of the loop."""
    with server.connect() as quick:
        for _ in range(times):
            quick.send(request("/"))
            assert quick.response().body == b"hello"


@pytest.mark.parametrize("target", ["/limit", "/limit-user", "/limit-recorded"])
def test_a_server_goes_on_with_the_threads_it_has(serve_threaded, open_folder, target):
    """There are the main thread and one more; the process has no room for a third one's stack, or
    the user may have no more of them.
    """
    server, flag = serve_threaded(8), open_folder / "flag"
    assert server.request(request(target)).body == b"limited"
    with contextlib.ExitStack() as stack:
        slow = stack.enter_context(server.connect())
        slow.send(request(f"/wait?{flag}"))
        say_hello(server, 300)
        more = [stack.enter_context(server.connect()) for _ in range(4)]
        for each in more:
            each.send(request(f"/wait?{flag}"))
        wait_until(lambda: ONCE in server.stderr, "the line")
        flag.touch()
        for each in [slow, *more]:
            assert each.response().body == b"seen"
    say_hello(server, 50)
    outcome = server.stop()
    outcome.check()
    assert outcome.stderr.count(ONCE) == 1


def test_a_thread_is_started_where_the_limit_was_temporary(serve_threaded, open_folder):
    """The main thread waits, the other one holds the loop. Failures in a row are logged once."""
    server, flag = serve_threaded(8), open_folder / "flag"
    assert server.request(request("/limit")).body == b"limited"
    with server.connect() as slow:
        slow.send(request(f"/wait?{flag}"))
        say_hello(server, 300)
        wait_until(lambda: ONCE in server.stderr, "the line")
        assert server.request(request("/names")).body == b"MainThread,fapws-1"
        assert server.request(request("/lift")).body == b"lifted"
        names = b"MainThread,fapws-1,fapws-2"
        wait_until(lambda: server.request(request("/names")).body == names, "a third thread")
        flag.touch()
        assert slow.response().body == b"seen"
    outcome = server.stop()
    outcome.check()
    assert outcome.stderr.count(ONCE) == 1


@pytest.mark.parametrize("threads", [1, 8])
def test_a_server_that_may_have_no_thread_at_all(interpreter, open_folder, threads):
    """Not even the monitor: the main thread calls for one request after the other."""
    if interpreter.version[0] < 3:
        pytest.skip("threads need Python 3")
    config, env = {"threads": threads}, {"LIMITED": "1"}
    # Its folder is made here, where the user that it becomes may write.
    server = Probe(interpreter, "threads.py", open_folder, config=config, env=env).start()
    try:
        assert len(os.listdir(f"/proc/{server.pid}/task")) == 1
        flag = open_folder / "flag"
        for _ in range(6):
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(server.connect()) for _ in range(4)]
                for each in clients:
                    each.send(request(f"/wait?{flag}"))
                flag.touch()
                for each in clients:
                    assert each.response().body == b"seen"
            flag.unlink()
            say_hello(server, 20)
        assert server.request(request("/large")).body == b"l" * 20000000
        outcome = server.stop()
        outcome.check()
        assert outcome.stderr.count(ONCE) == (threads > 1)
    finally:
        if server.alive:
            server.kill()


@pytest.mark.parametrize("target", ["/exit", "/interrupt"])
def test_an_exit_in_any_thread_costs_one_request(serve_threaded, tmp_path, target):
    server, flag = serve_threaded(3), tmp_path / "flag"
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(3)]
        for each in clients:
            each.send(request(f"{target}?{flag}"))
            say_hello(server, 100)
        flag.touch()
        for each in clients:
            assert each.response().status == 500
    say_hello(server, 50)


def test_calls_that_never_return_keep_their_threads_only(serve_threaded):
    """The main thread's is the first: the second signal ends the process, whatever hangs."""
    server = serve_threaded(2, slow_request=0.1)
    with contextlib.ExitStack() as stack:
        for number in range(2):
            client = stack.enter_context(server.connect())
            client.send(request(f"/never?{number}"))
            say_hello(server, 100)
        assert server.journal("never") == [True, False]
        wait_until(lambda: "/never?1" in server.stderr, "the line of the slow call")
        server.send_signal(signal.SIGTERM)
        wait_until(lambda: not server.pending(signal.SIGTERM), "the signal to be taken in")
        server.send_signal(signal.SIGTERM)
        assert server.wait().returncode == 128 + signal.SIGTERM


def test_the_run_ends_beside_a_thread_that_does_not(serve_threaded, tmp_path):
    """The main thread is spare, another one hangs: `run` returns after `graceful_timeout`."""
    server, flag = serve_threaded(2, graceful_timeout=0.5), tmp_path / "flag"
    make_main_thread_spare(server, flag, "/never")
    assert server.journal("never") == [False]
    outcome = server.stop()
    outcome.check()
    assert "run() returned" in outcome.stdout


def make_main_thread_spare(server, flag, *targets):
    """Another thread holds the loop by then, and yet others have the calls of `targets`."""
    with contextlib.ExitStack() as stack:
        slow = stack.enter_context(server.connect())
        slow.send(request(f"/wait?{flag}"))
        say_hello(server, 100)
        for target in targets:
            stack.enter_context(server.connect()).send(request(target))
            say_hello(server, 100)
        flag.touch()
        assert slow.response().body == b"seen"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_main_thread_that_is_spare(serve_threaded, tmp_path, number):
    """A handler of the program's, and those that end the run, with no request to wake anything."""
    server = serve_threaded(2)
    named, made = tmp_path / "named", tmp_path / "made"
    assert server.request(request(f"/signalled?{made}")).body == b"named"
    make_main_thread_spare(server, named)
    server.send_signal(signal.SIGUSR1)
    wait_until(made.exists, "the handler")
    server.stop(number).check()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_main_thread_in_a_call(serve_threaded, tmp_path, number):
    """A handler of the program's runs there, and the run begins to end, while the call goes on."""
    server = serve_threaded(2)
    flag, made = tmp_path / "flag", tmp_path / "made"
    assert server.request(request(f"/signalled?{made}")).body == b"named"
    with server.connect() as slow:
        slow.send(request(f"/wait?{flag}"))
        say_hello(server, 100)
        assert server.journal("threads") == ["MainThread"]
        server.send_signal(signal.SIGUSR1)
        wait_until(made.exists, "the handler")
        server.send_signal(number)
        wait_until(lambda: not server.accepts(), "the listener to close")
        flag.touch()
        assert slow.response().body == b"seen"
    server.wait().check()


@pytest.mark.quiet
def test_a_signal_is_handled_within_a_second(serve_threaded, tmp_path):
    """The main thread is spare, and nothing else happens. The quickest of some counts: the machine
    may have had other things to do.
    """
    server = serve_threaded(2)
    taken = []
    make_main_thread_spare(server, tmp_path / "named")
    for attempt in range(5):
        made = tmp_path / f"made{attempt}"
        assert server.request(request(f"/signalled?{made}")).body == b"named"
        begun = time.monotonic()
        server.send_signal(signal.SIGUSR1)
        wait_until(made.exists, "the handler")
        taken.append(time.monotonic() - begun)
    assert min(taken) < 1, taken

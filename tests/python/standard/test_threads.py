"""Threads: applications wait beside one another, and what is quick waits for none of them.

Every test is causal: the slow calls wait until the client says that it has what it should have.
"""

import contextlib
import functools

import pytest
from standard.message import request
from standard.probe import Probe
from support.process import wait_until

THREADS = 2


@pytest.fixture
def threaded(interpreter, serve_probe):
    if interpreter.version[0] < 3:
        pytest.skip("threads need Python 3")
    return serve_probe("threads.py", config={"threads": THREADS})


def connect(stack, server, count):
    return [stack.enter_context(server.connect()) for _ in range(count)]


def called(server, flag):
    """Whether the application was called with this flag."""
    return str(flag) in server.journal("wait")


def make_slow_calls_known(server, slow, quick, flag):
    """Have `/wait` be expected to wait: that takes two such calls, seen without a stall."""
    for _ in range(8):
        call_slowly(server, slow, quick, flag)


def call_slowly(server, slow, quick, flag):
    """A call of `/wait` that goes on until a quick one was served beside it."""
    before = server.journal("wait").count(str(flag))
    slow.send(request(f"/wait?{flag}"))
    # It may stand in the queue for a moment, and does not wait if the flag is there by then.
    wait_until(lambda: server.journal("wait").count(str(flag)) > before, "the call")
    quick.send(request("/"))
    assert quick.response().body == b"hello"
    flag.touch()
    assert slow.response().body == b"seen"
    flag.unlink()


def test_a_quick_request_does_not_wait_for_slow_ones(threaded, tmp_path):
    """The first time, and when it is known that they are slow."""
    for attempt in range(4):
        flag = tmp_path / f"flag{attempt}"
        with contextlib.ExitStack() as stack:
            *slow, quick = connect(stack, threaded, THREADS + 1)
            for each in slow:
                each.send(request(f"/wait?{flag}"))
            quick.send(request("/"))
            assert quick.response().body == b"hello"
            flag.touch()
            for each in slow:
                assert each.response().body == b"seen"


def test_a_request_that_is_expected_to_wait_waits_for_a_thread_in_order(threaded, tmp_path):
    flags = [tmp_path / f"flag{number}" for number in range(THREADS + 2)]
    learnt = tmp_path / "learnt"
    with contextlib.ExitStack() as stack:
        *slow, quick = connect(stack, threaded, THREADS + 3)
        make_slow_calls_known(threaded, slow[0], quick, learnt)
        for each, flag in zip(slow, flags):
            each.send(request(f"/wait?{flag}"))
            # In the order of arrival: the next one is sent when this one was read.
            quick.send(request("/"))
            assert quick.response().body == b"hello"
        for each, flag in zip(slow, flags):
            wait_until(functools.partial(called, threaded, flag), f"the call with {flag}")
            flag.touch()
            assert each.response().body == b"seen"
        order = [entry for entry in threaded.journal("wait") if entry != str(learnt)]
        assert order == [str(flag) for flag in flags]


def test_a_response_stays_in_the_thread_that_began_it(threaded, tmp_path):
    """A database's connection belongs to its thread: in each item, and in close()."""
    flag = tmp_path / "flag"
    with threaded.connect() as client, threaded.connect() as quick:
        client.send(request(f"/rows?{flag}"))
        client.read_until(b"1xxx")
        quick.send(request("/"))
        assert quick.response().body == b"hello"
        flag.touch()
        client.read_until(b"5xxx")
        client.read_until(b"\r\n0\r\n\r\n")
    assert threaded.eventually("rows", bool) == [5]


def test_pipelined_requests_have_their_responses_in_order(threaded, tmp_path):
    flag = tmp_path / "flag"
    with threaded.connect() as client, threaded.connect() as quick:
        client.send(request(f"/wait?{flag}") + request("/") + request(f"/wait?{flag}"))
        quick.send(request("/"))
        assert quick.response().body == b"hello"
        flag.touch()
        assert [client.response().body for _ in range(3)] == [b"seen", b"hello", b"seen"]


def test_a_connection_is_kept_after_a_slow_call(threaded, tmp_path):
    flag = tmp_path / "flag"
    with threaded.connect() as client, threaded.connect() as quick:
        for _ in range(3):
            call_slowly(threaded, client, quick, flag)
        client.send(request("/"))
        assert client.response().body == b"hello"


def test_the_environ_says_so(threaded):
    assert threaded.request(request("/multithread")).body == b"True"


def test_threads_have_names(threaded, tmp_path):
    flag = tmp_path / "flag"
    with threaded.connect() as slow:
        slow.send(request(f"/wait?{flag}"))
        wait_until(lambda: called(threaded, flag), "the call")
        names = threaded.request(request("/names")).body.decode().split(",")
        flag.touch()
        assert slow.response().body == b"seen"
    assert "MainThread" in names and any(name.startswith("fapws-") for name in names), names


def test_the_graceful_end_waits_for_calls(threaded, tmp_path):
    flag = tmp_path / "flag"
    with contextlib.ExitStack() as stack:
        slow = connect(stack, threaded, THREADS)
        for each in slow:
            each.send(request(f"/wait?{flag}"))
        quick = threaded.connect()
        quick.send(request("/"))
        assert quick.response().body == b"hello"
        quick.close()
        threaded.send_signal(15)
        wait_until(lambda: not threaded.accepts(), "the listener to close")
        flag.touch()
        for each in slow:
            assert each.response().body == b"seen"
        threaded.wait().check()


def test_clients_that_left_cost_only_their_call(threaded, tmp_path):
    flag = tmp_path / "flag"
    for _ in range(THREADS):
        with threaded.connect() as client:
            client.send(request(f"/wait?{flag}"))
            wait_until(lambda: called(threaded, flag), "the call")
        assert threaded.request(request("/")).body == b"hello"
    flag.touch()
    assert threaded.request(request(f"/wait?{flag}")).body == b"seen"


@pytest.mark.parametrize("backend", ["1", "2"])
def test_with_select_and_poll(interpreter, serve_probe, tmp_path, backend):
    if interpreter.version[0] < 3:
        pytest.skip("threads need Python 3")
    server = serve_probe("threads.py", config={"threads": 2}, env={"LIBEV_FLAGS": backend})
    test_a_quick_request_does_not_wait_for_slow_ones(server, tmp_path)


def test_the_legacy_dialect_has_none(interpreter, start_process):
    server = start_process(
        Probe, interpreter, "threads.py", dialect="legacy", config={"threads": 2}
    )
    outcome = server.wait()
    assert outcome.returncode == 1
    assert "ValueError: config.threads above 1" in outcome.stderr


def test_the_log_says_once_that_all_threads_are_busy(threaded, tmp_path):
    flag, learnt = tmp_path / "flag", tmp_path / "learnt"
    with contextlib.ExitStack() as stack:
        *slow, quick = connect(stack, threaded, THREADS + 3)
        make_slow_calls_known(threaded, slow[0], quick, learnt)
        for each in slow:
            each.send(request(f"/wait?{flag}"))
        wait_until(lambda: "all threads busy" in threaded.stderr, "the line")
        quick.send(request("/"))
        assert quick.response().body == b"hello"
        flag.touch()
        for each in slow:
            assert each.response().body == b"seen"
    outcome = threaded.stop()
    outcome.check()
    assert outcome.stderr.count("all threads busy: 2 calls wait") == 1


def test_a_thread_with_a_stream_is_the_last_to_be_given_a_call(threaded, tmp_path):
    """The stream goes on beside the call, though it waited for its client when the call came."""
    flag = tmp_path / "flag"
    with contextlib.ExitStack() as stack:
        warm, slow, quick = connect(stack, threaded, 3)
        warm.send(request(f"/wait?{flag}"))  # so that there is another thread
        wait_until(lambda: called(threaded, flag), "the call")
        flag.touch()
        assert warm.response().body == b"seen"
        flag.unlink()
        stream = stack.enter_context(threaded.connect(receive_buffer=1 << 16))
        stream.send(request("/large"))
        stream.read_until(b"\r\n\r\n")
        for _ in range(20):  # the other thread is spare by then
            quick.send(request("/"))
            assert quick.response().body == b"hello"
        slow.send(request(f"/wait?{flag}"))
        wait_until(lambda: len(threaded.journal("wait")) == 2, "the call")
        assert len(stream.read_exactly(20_000_000)) == 20_000_000
        flag.touch()
        assert slow.response().body == b"seen"


def test_a_request_that_waits_is_left_to_a_thread_without_a_stream(threaded, tmp_path):
    """The thread of the stream became spare last, and waits for its client."""
    learnt, start, flag = [tmp_path / name for name in ("learnt", "start", "flag")]
    with contextlib.ExitStack() as stack:
        slow, quick = connect(stack, threaded, 2)
        make_slow_calls_known(threaded, slow, quick, learnt)
        stream = stack.enter_context(threaded.connect(receive_buffer=1 << 16))
        stream.send(request(f"/later?{start}"))
        stream.read_until(b"\r\n\r\n1")
        for _ in range(20):  # another thread holds the loop, and one more is spare
            quick.send(request("/"))
            assert quick.response().body == b"hello"
        start.touch()
        assert len(stream.read_exactly(1_000_000)) == 1_000_000
        for _ in range(20):  # the stream's thread is spare by then
            quick.send(request("/"))
            assert quick.response().body == b"hello"
        slow.send(request(f"/wait?{flag}"))
        wait_until(functools.partial(called, threaded, flag), "the call")
        assert len(stream.read_exactly(19_000_000)) == 19_000_000
        flag.touch()
        assert slow.response().body == b"seen"


def test_a_quick_request_in_the_queue_waits_for_no_slow_call(threaded, tmp_path):
    """What comes while one more call goes on than may wait, as nobody foresaw it."""
    learnt, start, flag = [tmp_path / name for name in ("learnt", "start", "flag")]
    with contextlib.ExitStack() as stack:
        *slow, rows, quick = connect(stack, threaded, THREADS + 2)
        make_slow_calls_known(threaded, slow[0], quick, learnt)
        for each in slow:
            each.send(request(f"/wait?{flag}"))
        wait_until(lambda: threaded.journal("wait").count(str(flag)) == THREADS, "the calls")
        rows.send(request(f"/rows?{start}"))
        rows.read_until(b"1xxx")
        quick.send(request("/"))
        wait_until(lambda: "all threads busy" in threaded.stderr, "the queue")
        start.touch()
        assert quick.response().body == b"hello"
        rows.read_until(b"\r\n0\r\n\r\n")
        flag.touch()
        for each in slow:
            assert each.response().body == b"seen"


def test_the_next_request_after_a_stream_is_any_threads(threaded, tmp_path):
    """The thread that made the last response of a connection may be in a call."""
    flag, start = tmp_path / "flag", tmp_path / "start"
    with contextlib.ExitStack() as stack:
        client, *slow = connect(stack, threaded, THREADS + 1)
        client.send(request(f"/rows?{start}"))
        client.read_until(b"1xxx")
        start.touch()
        client.read_until(b"\r\n0\r\n\r\n")
        for each in slow:
            each.send(request(f"/wait?{flag}"))
            wait_until(lambda: called(threaded, flag), "the call")
        for _ in range(3):
            client.send(request("/"))
            assert client.response().body == b"hello"
        flag.touch()
        for each in slow:
            assert each.response().body == b"seen"


@pytest.mark.parametrize(
    ("target", "name", "first", "then"),
    [("/defer", "deferred", "first", "second"), ("/timers", "timers", "slow", "quick")],
)
def test_callbacks_are_made_one_at_a_time(threaded, tmp_path, target, name, first, then):
    """A deferred call or a timer that waits lets requests be served, and no other callback."""
    flag = tmp_path / "flag"
    assert threaded.request(request(f"{target}?{flag}")).status == 200
    assert threaded.eventually(name, bool) == [first]
    with threaded.connect() as quick:
        for _ in range(300):  # each is a turn of the loop, at which more could be called
            quick.send(request("/"))
            assert quick.response().body == b"hello"
    assert threaded.journal(name) == [first]
    flag.touch()
    expected = [first, f"{first} ends", then]
    assert threaded.eventually(name, lambda events: len(events) >= 3) == expected


@pytest.mark.parametrize("backend", ["0", "1", "2"])
def test_a_thread_closes_a_connection_that_another_one_polls_with(
    interpreter, serve_probe, tmp_path, backend
):
    """The default, `select`, and `poll`, in which libev aborts where it finds a closed one."""
    if interpreter.version[0] < 3:
        pytest.skip("threads need Python 3")
    server = serve_probe("threads.py", config={"threads": 2}, env={"LIBEV_FLAGS": backend})
    with server.connect() as quick:
        for attempt in range(30):
            flag = tmp_path / f"flag{attempt}"
            with server.connect() as slow:
                slow.send(request(f"/wait?{flag}", headers=[("Connection", "close")]))
                wait_until(functools.partial(called, server, flag), "the call")
                quick.send(request("/"))
                assert quick.response().body == b"hello"
                flag.touch()
                assert slow.response().body == b"seen"
                assert slow.at_end()


def test_a_child_that_another_thread_forked_ends(threaded, tmp_path):
    """It comes back in a thread that does not hold the loop, and nobody holds it in the child."""
    flag = tmp_path / "flag"
    with contextlib.ExitStack() as stack:
        # The main thread, when it has nothing to do, looks for signals now and then.
        of_main, forks, quick = connect(stack, threaded, 3)
        for each, target in [(of_main, "/wait"), (forks, "/fork")]:
            each.send(request(f"{target}?{flag}"))
            for _ in range(300):  # the loop is another thread's by then
                quick.send(request("/"))
                assert quick.response().body == b"hello"
        forks.reset()  # so that nothing is read or written behind the fork
        flag.touch()
        (child,) = threaded.eventually("forked", bool)
        assert of_main.response().body == b"seen"
    ended = request(f"/ended?{child}")
    end = wait_until(lambda: threaded.request(ended).body.replace(b"lives", b""), "the child's end")
    assert end == b"ended with 0"


def test_a_client_that_leaves_in_the_queue_costs_no_call(threaded, tmp_path):
    """Both threads wait, and a third request that is expected to wait stands in the queue."""
    learnt, flag = tmp_path / "learnt", tmp_path / "flag"
    left, last = tmp_path / "left", tmp_path / "last"
    with contextlib.ExitStack() as stack:
        *slow, quick = connect(stack, threaded, THREADS + 1)
        make_slow_calls_known(threaded, slow[0], quick, learnt)
        for each in slow:
            each.send(request(f"/wait?{flag}"))
        calls = len(slow)
        wait_until(lambda: threaded.journal("wait").count(str(flag)) == calls, "the calls")
        with threaded.connect() as leaves:
            leaves.send(request(f"/wait?{left}"))
            wait_until(lambda: "all threads busy" in threaded.stderr, "the queue")
        stays = stack.enter_context(threaded.connect())
        stays.send(request(f"/wait?{last}"))
        quick.send(request("/"))
        assert quick.response().body == b"hello"
        for path in (flag, left, last):
            path.touch()
        for each in slow:
            assert each.response().body == b"seen"
        # It came behind the one that left.
        assert stays.response().body == b"seen"
        assert str(left) not in threaded.journal("wait")

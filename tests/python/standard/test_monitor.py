"""Nothing that is ready waits for what is slow: the monitor sends it, whatever runs meanwhile.

Every test is causal: the slow call waits until the client says, by a file, that it has what was
ready.
"""

import contextlib
import select
import signal
import time

import pytest
from support import PATIENCE
from support.process import wait_until
from standard.message import request


@pytest.fixture
def monitored(serve_probe):
    """A server of tests/apps/standard/monitor.py, new: no call was ever slow."""
    return serve_probe("monitor.py")


@contextlib.contextmanager
def stopped(server):
    """What is sent meanwhile is there in one turn of the loop."""
    server.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.send_signal(signal.SIGCONT)


def connect(stack, server, count):
    """Connections that were used once, so that each is one readable socket in the next turn."""
    clients = [stack.enter_context(server.connect()) for _ in range(count)]
    # The kernel lists the one that was used last before those that become readable later, if the
    # server has not polled since: here that is the first.
    for each in clients + clients[:1]:
        each.send(request("/"))
        assert each.response().body == b"hello"
    return clients


def receive_until_all(clients, flag):
    """Reads the responses of all clients; makes `flag` when each has its own."""
    waiting = {each.socket: each for each in clients}
    while waiting:
        readable, _, _ = select.select(list(waiting), [], [], PATIENCE)
        assert readable, f"{len(waiting)} responses that were ready did not come"
        for each in readable:
            assert waiting.pop(each).response().body in (b"hello", b"short")
    flag.touch()


def test_ten_ready_responses_do_not_wait_for_a_slow_call(monitored, tmp_path):
    flag = tmp_path / "flag"
    with contextlib.ExitStack() as stack:
        *quick, slow = connect(stack, monitored, 11)
        with stopped(monitored):
            for each in quick:
                each.send(request("/"))
            slow.send(request(f"/wait?{flag}"))
        # Those that the loop comes to after the slow call are not ready before it ends.
        readable, _, _ = select.select([each.socket for each in quick], [], [], PATIENCE)
        assert readable
        flag.touch()
        assert slow.response().body == b"seen"
        for each in quick:
            assert each.response().body == b"hello"


def test_what_comes_before_a_slow_call_comes_to_its_client_before_it(monitored, tmp_path):
    """epoll reports sockets in the order in which they became ready: the slow one comes last."""
    flag = tmp_path / "flag"
    with contextlib.ExitStack() as stack:
        first, *quick, last = connect(stack, monitored, 12)
        with stopped(monitored):
            first.send(request("/short"))
            for each in quick:
                each.send(request("/"))
            last.send(request(f"/wait?{flag}"))
        receive_until_all([first, *quick], flag)
        assert last.response().body == b"seen"


def test_nor_for_many_short_calls(monitored, tmp_path):
    """Sixty-four calls of half a millisecond, behind which one waits for the first's response."""
    flag = tmp_path / "flag"
    with contextlib.ExitStack() as stack:
        *short, last = connect(stack, monitored, 65)
        with stopped(monitored):
            for each in short:
                each.send(request("/short"))
            last.send(request(f"/wait?{flag}"))
        receive_until_all(short[:1], flag)
        assert last.response().body == b"seen"
        for each in short[1:]:
            assert each.response().body == b"short"


def test_a_pipelined_response_does_not_wait_for_the_next_call(monitored, tmp_path):
    flag = tmp_path / "flag"
    with monitored.connect() as client:
        client.send(request("/") + request(f"/wait?{flag}"))
        assert client.response().body == b"hello"
        flag.touch()
        assert client.response().body == b"seen"


@pytest.mark.parametrize("way", ["stream", "write"])
def test_an_item_is_on_its_way_while_the_application_goes_on(monitored, tmp_path, way):
    flag = tmp_path / "flag"
    with monitored.connect() as client:
        client.send(request(f"/{way}?{flag}"))
        client.read_until(b"first\r\n")
        flag.touch()
        assert client.read_until(b"seen\r\n").endswith(b"seen\r\n")


def test_quick_items_leave_together_in_every_response_of_a_connection(monitored):
    whole = 0
    with monitored.connect() as client:
        for _ in range(20):
            # The monitor looks between two responses: no item of the next is older than that look.
            time.sleep(0.03)
            before = client.segments_received()
            client.send(request("/ten"))
            assert client.response().body == b"item" * 10
            # The request's acknowledgement goes with the response.
            whole += client.segments_received() - before == 1
    # A look may fall in one or the other.
    assert whole > 10


def test_a_dripping_generator_is_not_held_until_there_is_much(monitored, tmp_path):
    flag = tmp_path / "flag"
    with monitored.connect() as client:
        client.send(request(f"/drip?{flag}"))
        client.read_until(b".\r\n")
        flag.touch()
        client.read_until(b"seen\r\n")


@pytest.mark.parametrize("kind", ["endless", "empty"])
def test_a_generator_that_never_waits_lets_others_in(monitored, tmp_path, kind):
    flag = tmp_path / "flag"
    with monitored.connect() as greedy, monitored.connect() as other:
        greedy.send(request(f"/{kind}?{flag}"))
        other.send(request("/"))
        assert other.response().body == b"hello"
        flag.touch()
        assert greedy.response().body.endswith(b"end")


def test_empty_items_do_not_stop_the_graceful_end(serve_probe, tmp_path):
    server = serve_probe("monitor.py", config={"graceful_timeout": 0.5})
    flag = tmp_path / "closed"
    with server.connect() as client:
        client.send(request(f"/forever?{flag}"))
        assert server.request(request("/")).body == b"hello"
        server.stop().check()
    assert flag.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_a_hanging_application(monitored, tmp_path, number):
    flag = tmp_path / "hangs"
    with monitored.connect() as client:
        client.send(request(f"/hang?{flag}"))
        wait_until(flag.exists, "the application to hang")
        monitored.send_signal(number)
        # The first one is counted by a handler: only then is the next a second one.
        wait_until(lambda: not monitored.pending(number), "the first signal to be handled")
        monitored.send_signal(number)
        outcome = monitored.wait()
        assert outcome.returncode == 128 + number, outcome.transcript


def test_ready_responses_leave_before_a_hanging_process_ends(monitored, tmp_path):
    flag = tmp_path / "hangs"
    with contextlib.ExitStack() as stack:
        first, last = connect(stack, monitored, 2)
        with stopped(monitored):
            first.send(request("/"))
            last.send(request(f"/hang?{flag}"))
        wait_until(flag.exists, "the application to hang")
        for _ in range(2):
            monitored.send_signal(signal.SIGTERM)
            wait_until(lambda: not monitored.pending(signal.SIGTERM), "the signal to be handled")
        assert first.response().body == b"hello"
        monitored.wait()


def test_a_child_forked_in_a_call_leaves_the_parent_its_monitor(monitored, tmp_path):
    flag = tmp_path / "flag"
    with monitored.connect() as client:
        client.send(request("/fork"))
        assert client.response().body == b"forked"
        client.send(request(f"/stream?{flag}"))
        client.read_until(b"first\r\n")
        flag.touch()
        client.read_until(b"seen\r\n")

"""stdout and stderr that are closed, broken or full: lines are lost, the server is not."""

import os

import pytest
from standard.message import request, respond

pytestmark = pytest.mark.each_major


def exercise(probe):
    """More lines on stderr than a pipe holds, and answers in between."""
    for number in range(300):
        assert probe.request(request(respond(fail="call"))).status == 500
        if number % 50 == 0:
            assert probe.request(request("/complain?word")).status == 200
            assert probe.request(request("/")).body == b"hello"
    assert probe.alive
    # Python itself complains of such streams when it exits, or waits for them.
    probe.kill()


@pytest.mark.parametrize("redirect", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed(serve_bounded, dialect, redirect):
    """A descriptor that a socket may get instead: what is printed must not go to a client."""
    probe = serve_bounded("probe.py", redirect=redirect, dialect=dialect)
    exercise(probe)


@pytest.fixture
def pipe(tmp_path):
    """A named pipe, and this test's reading end of it."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield path, reader
    try:
        os.close(reader)
    except OSError:
        pass  # a test closed it


def test_broken(serve_bounded, dialect, pipe):
    path, reader = pipe
    probe = serve_bounded("probe.py", redirect=f">{path} 2>&1", dialect=dialect)
    os.close(reader)
    exercise(probe)


def test_full(serve_bounded, dialect, pipe):
    """Nobody reads the pipe: when it is full the server must go on without its lines."""
    path, _ = pipe
    probe = serve_bounded("probe.py", redirect=f">{path} 2>&1", dialect=dialect)
    exercise(probe)

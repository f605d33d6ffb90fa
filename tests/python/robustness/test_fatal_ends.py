"""The process ends where libev cannot go on: what was ready is sent, and the log is whole."""

import sys

import pytest
from standard.message import request


CLOSE = [("Connection", "close")]


def test_the_access_log_has_its_last_line(serve_probe, tmp_path, dialect):
    log = tmp_path / "access.log"
    server = serve_probe("fatal.py", dialect=dialect, config={"access_log": str(log)})
    assert server.exchange(request("/first", headers=CLOSE)).endswith(b"done")
    assert server.exchange(request("/eventpoll", headers=CLOSE)).endswith(b"done")
    outcome = server.wait()
    assert outcome.returncode == 1, outcome.transcript
    assert "epoll" in outcome.stderr and "the process ends" in outcome.stderr
    lines = log.read_text().splitlines()
    assert [line.split('"')[1] for line in lines] == [
        "GET /first HTTP/1.1",
        "GET /eventpoll HTTP/1.1",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere libev is woken by a pipe")
@pytest.mark.parametrize("mistake", ["/eventfd", "/file"])
def test_it_ends_where_nothing_could_wake_it(serve_probe, dialect, mistake):
    """No signal would end it either."""
    server = serve_probe("fatal.py", dialect=dialect)
    assert server.exchange(request(mistake, headers=CLOSE)).endswith(b"done")
    outcome = server.wait()
    assert outcome.returncode == 1, outcome.transcript
    assert "eventfd: the program closed the descriptor" in outcome.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere libev is woken by a pipe")
def test_no_client_is_served_under_the_number_of_what_wakes_the_loop(serve_probe, dialect):
    """libev would write into its connection."""
    server = serve_probe("fatal.py", dialect=dialect)
    assert server.exchange(request(f"/client?{server.address[1]}", headers=CLOSE)).endswith(b"done")
    outcome = server.wait()
    assert outcome.returncode == 1, outcome.transcript
    assert "eventfd: the program closed the descriptor" in outcome.stderr
    assert "client" in outcome.stdout and "late" not in outcome.stdout

"""The process ends where libev cannot go on: what was ready is sent, and the log is whole."""

from standard.message import request


def test_the_access_log_has_its_last_line(serve_probe, tmp_path, dialect):
    log = tmp_path / "access.log"
    server = serve_probe("fatal.py", dialect=dialect, config={"access_log": str(log)})
    close = [("Connection", "close")]
    assert server.exchange(request("/first", headers=close)).endswith(b"done")
    assert server.exchange(request("/mistake", headers=close)).endswith(b"done")
    outcome = server.wait()
    assert outcome.returncode == 1, outcome.transcript
    assert "epoll" in outcome.stderr and "the process ends" in outcome.stderr
    lines = log.read_text().splitlines()
    assert [line.split('"')[1] for line in lines] == [
        "GET /first HTTP/1.1",
        "GET /mistake HTTP/1.1",
    ]

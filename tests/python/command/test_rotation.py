"""The access log is moved away while requests come: no line is lost, none is there twice."""

import concurrent.futures
import functools
import os
import shutil
import signal
import subprocess

import pytest
from command import write
from support.process import wait_until

pytestmark = pytest.mark.wire

CLIENTS, REQUESTS, ROTATIONS = 4, 400, 12

#: As docs/deploy/logs.md has it, but for the time.
LOGROTATE = """
{home}/a.log {{
    rotate {rotations}
    size 1
    missingok
    nocompress
    postrotate
        kill -USR1 {pid}
    endscript
}}
"""


def ask(command, first):
    with command.connect() as client:
        for number in range(first, first + REQUESTS):
            client.send(b"GET /%d HTTP/1.1\r\nHost: test\r\n\r\n" % number)
            assert client.response().status == 200


def rename(command, home, number):
    (home / "a.log").rename(home / f"a.log.{number}")
    command.send_signal(signal.SIGUSR1)


def rotate(command, home, number):
    settings = home / "settings"
    settings.write_text(LOGROTATE.format(home=home, rotations=ROTATIONS + 1, pid=command.pid))
    settings.chmod(0o644)
    call = ["logrotate", "--force", "--state", home / "state", settings]
    outcome = subprocess.run(call, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize("way", [rename, rotate])
def test_rotation_under_load(run_command, home, way):
    if way is rotate and not shutil.which("logrotate"):
        pytest.skip("no logrotate on this machine")
    home.chmod(0o755)
    write(home, plain="""
        def app(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"plain"]
    """)
    words = ["--access-log", "a.log", "--access-log-format", "%(U)s", "--workers", "2"]
    command = run_command("plain:app", *words)
    command.wait_for_workers(2)
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        firsts = [1 + client * REQUESTS for client in range(CLIENTS)]
        running = [pool.submit(functools.partial(ask, command, first)) for first in firsts]
        for number in range(ROTATIONS):
            # A worker may open it later: until then its lines go to the one before.
            wait_until((home / "a.log").exists, "a new file")
            way(command, home, number)
        for each in running:
            each.result()
    assert command.stop().check().stderr.count("lines are lost") == 0
    lines = [line for path in home.glob("a.log*") for line in path.read_text().splitlines()]
    served = sorted(int(line[1:]) for line in lines if line != "/")
    assert served == list(range(1, 1 + CLIENTS * REQUESTS))


#: A worker that serves reports it only once there is a file `go`.
REPORTS_LATE = """
    import os as _os, time as _time
    from fapws import link as _link
    _report = _link.Link.report

    def _late(self, *words):
        while words[0] == _link.SERVING and not _os.path.exists("go"):
            _time.sleep(0.01)
        _report(self, *words)

    _link.Link.report = _late
"""


def logs_of(worker):
    """The names of the access logs that a worker has open."""
    files = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{worker}/fd")]
    return {os.path.basename(file) for file in files if "a.log" in file}


def test_a_worker_that_is_starting_reopens_it_too(run_command, home):
    write(home, settings=REPORTS_LATE)
    (home / "go").touch()
    command = run_command("hello:app", "--access-log", "a.log", "--config", "settings.py")
    before = command.wait_for_workers(1)
    (home / "go").unlink()
    command.send_signal(signal.SIGTTIN)
    workers = command.wait_for_workers(2)
    (young,) = workers - before
    wait_until(lambda: logs_of(young) == {"a.log"}, "the new worker's log")
    rename(command, home, 1)
    for worker in before:
        wait_until(lambda worker=worker: logs_of(worker) == {"a.log"}, "the first worker's new log")
    assert logs_of(young) == {"a.log.1"}
    (home / "go").touch()
    wait_until(lambda: logs_of(young) == {"a.log"}, "the new worker's new log")

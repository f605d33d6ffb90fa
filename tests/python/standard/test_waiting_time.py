"""How long a request waited before its call: `%(Q)s`, and `wait_microseconds` of `stats()`."""

import json

import pytest
from standard.message import request
from support.process import wait_until

pytestmark = pytest.mark.wire


@pytest.fixture
def log(tmp_path):
    return tmp_path / "access.log"


@pytest.fixture
def timed(serve_probe, log):
    """A server whose log has path, time of the call and time before it, in microseconds."""

    def timed(**config):
        config = {"access_log_format": "%(U)s %(D)s %(Q)s", **config}
        return serve_probe("slow.py", config={"access_log": str(log), **config})

    return timed


def lines(log, count):
    found = wait_until(
        lambda: (text := log.read_text()).count("\n") >= count and text, f"{count} lines"
    )
    words = map(str.split, found.splitlines())
    return [(path, int(took), int(waited)) for path, took, waited in words]


def wait_microseconds(server):
    return json.loads(server.get("/stats").body)["wait_microseconds"]


def test_one_behind_another_has_waited_for_its_call(timed, log, tmp_path):
    server, flag = timed(), tmp_path / "flag"
    with server.connect() as client:
        client.send(request(f"/here?{flag}") + request("/stats"))
        flag.touch()
        assert client.response().body == b"here"
        numbers = json.loads(client.response().body)
    (_, took, waited), (_, _, behind) = lines(log, 2)
    assert behind >= took
    # Counted with or without a log, before the call.
    assert numbers["wait_microseconds"] == waited + behind


def test_without_a_log_it_is_counted_too(serve_probe, tmp_path):
    server, flag = serve_probe("slow.py"), tmp_path / "flag"
    before = wait_microseconds(server)
    with server.connect() as client:
        client.send(request(f"/here?{flag}") + request("/stats"))
        flag.touch()
        client.response()
        client.response()
    assert wait_microseconds(server) > before


"""Room for connections, and descriptors that a program closed by mistake."""

import json

import pytest
from standard.message import request
from standard.probe import Probe

pytestmark = pytest.mark.wire


@pytest.fixture
def serve_probe(interpreter, start_process):
    def serve(app, **settings):
        return start_process(Probe, interpreter, app, **settings)

    return serve


def test_the_connection_that_is_idle_longest_gives_way(serve_probe):
    server = serve_probe("probe.py", config={"max_connections": 3})
    kept = [server.connect() for _ in range(3)]
    for each in kept:
        each.send(request("/"))
        assert each.response().body == b"hello"
    with server.connect() as newcomer:
        newcomer.send(request("/"))
        assert newcomer.response().body == b"hello"
    closed, *others = kept
    assert closed.at_end()
    for each in others:
        each.send(request("/"))
        assert each.response().body == b"hello"
        each.close()


def test_a_number_that_was_closed_by_mistake_is_the_next_clients(serve_probe):
    """The client that gets the number keeps its own address, and its connection."""
    server = serve_probe("robbed.py")
    with server.connect() as robbed:
        robbed.send(request("/close"))
        assert robbed.response().body == b"closed"
        assert robbed.at_end()
        with server.connect() as newcomer:
            port = newcomer.socket.getsockname()[1]
            for _ in range(3):
                newcomer.send(request("/port"))
                assert json.loads(newcomer.response().body) == port

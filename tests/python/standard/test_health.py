"""`config.health`: the server's own response, and 503 from the moment at which it is to end."""

import signal

import pytest
from standard.message import post, request
from support.process import wait_until

HEALTH = {"health": "/_health"}


def test_the_application_is_not_called(serve_probe):
    server = serve_probe("mirror.py", config=HEALTH)
    with server.connect() as client:
        client.send(request("/_health"), request("/_health?deep", "HEAD"), request("/_health"))
        for method in "GET", "HEAD", "GET":
            response = client.response(method)
            assert response.status == 200
            assert response.header("Content-Type") == "text/plain"
            assert response.header("Content-Length") == "2"
            assert response.body == (b"" if method == "HEAD" else b"ok")
            assert response.header("Date")
        client.send(request("/_health", headers=[("Connection", "close")]))
        assert client.response().header("Connection") == "close"
        assert client.at_end()


@pytest.mark.wire
def test_other_methods_and_paths_are_the_applications(serve_probe):
    server = serve_probe("mirror.py", config=HEALTH)
    for raw in post("/_health", b"x"), request("/_healthy"), request("/_health/"):
        assert server.request(raw).body != b"ok"


@pytest.mark.wire
def test_http_1_0_closes(serve_probe):
    server = serve_probe("mirror.py", config=HEALTH)
    raw = server.exchange(request("/_health", version="HTTP/1.0"))
    assert raw.startswith(b"HTTP/1.1 200 ") and raw.endswith(b"\r\n\r\nok")


@pytest.mark.wire
def test_a_body_is_consumed(serve_probe):
    server = serve_probe("mirror.py", config=HEALTH)
    with server.connect() as client:
        for size in 3, 300000:
            client.send(request("/_health", body=b"x" * size))
            assert client.response().body == b"ok"


@pytest.mark.wire
def test_the_legacy_dialect_has_none(serve):
    server = serve("hello.py", dialect="legacy", config=HEALTH)
    assert b"PATH_INFO=/_health" in server.get("/_health").body


def terminate(server):
    """SIGTERM, once the program is in `run`: before it, a signal ends any program."""
    wait_until(lambda: server.catches(signal.SIGTERM), "run")
    server.send_signal(signal.SIGTERM)


@pytest.mark.wire
def test_503_within_the_delay_then_the_end(serve_probe):
    server = serve_probe("mirror.py", config=dict(HEALTH, shutdown_delay=1))
    terminate(server)
    wait_until(lambda: server.get("/_health").status == 503, "503")
    # Everything else is served as before, on new connections too.
    assert server.get("/environ").header("Date")
    # The delay ends by itself.
    server.wait().check()


@pytest.mark.wire
def test_a_second_signal_drains_at_once(serve_probe):
    server = serve_probe("mirror.py", config=dict(HEALTH, shutdown_delay=3600))
    terminate(server)
    wait_until(lambda: server.get("/_health").status == 503, "503")
    server.stop().check()


@pytest.mark.wire
def test_sigint_does_not_wait(serve_probe):
    server = serve_probe("mirror.py", config={"shutdown_delay": 3600})
    server.stop(signal.SIGINT).check()


@pytest.mark.wire
def test_503_while_a_request_is_in_flight(serve_probe):
    server = serve_probe("mirror.py", config=HEALTH)
    with server.connect() as client, server.connect() as other:
        # Both have sent the beginning of a request when the signal comes.
        for each in client, other:
            each.send(request("/_health")[:10])
        terminate(server)
        wait_until(lambda: not server.accepts(), "the listener to close")
        client.send(request("/_health")[10:])
        response = client.response()
        assert (response.status, response.header("Connection")) == (503, "close")
    server.wait().check()


@pytest.mark.parametrize(
    ("value", "name"), [("health", "ValueError"), (5, "TypeError"), (["/x"], "TypeError")]
)
def test_what_it_cannot_be(serve_probe, value, name):
    server = serve_probe("mirror.py", config={"health": value})
    outcome = server.wait()
    assert outcome.returncode == 1
    assert name in outcome.stderr and "config.health" in outcome.stderr

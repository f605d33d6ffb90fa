"""More clients than descriptors: no spin, no crash, and the rest is served when some leave."""

import socket
import threading
import time

import pytest
from standard.message import chunks, post, post_chunked, request
from standard.probe import Peer

pytestmark = pytest.mark.wire

CLIENTS = 400
DESCRIPTORS = 64


def served(clients):
    """Those of the clients whose answer has come, having waited a little for more."""
    time.sleep(0.05)
    done = []
    for client in clients:
        client.socket.settimeout(0)
        try:
            if client.socket.recv(1, socket.MSG_PEEK):
                done.append(client)
        except BlockingIOError:
            pass
        client.socket.settimeout(60)
    return done


@pytest.mark.parametrize(
    "dialect, most", [("standard", 0), ("standard", 10_000), ("legacy", 10_000)]
)
def test_descriptors_run_out(serve_bounded, dialect, most):
    """With the default, 0, accepting stops in time; with more than there are, by EMFILE."""
    probe = serve_bounded(
        "probe.py",
        shell=f"ulimit -n {DESCRIPTORS}",
        config={"max_connections": most},
        dialect=dialect,
    )
    waiting = [Peer(probe.address) for _ in range(CLIENTS)]
    # A head that is not whole holds its descriptor in either dialect.
    for client in waiting:
        client.send(request("/")[:-2])
    time.sleep(0.5)
    held = probe.descriptors
    assert held <= DESCRIPTORS
    before = probe.cpu_seconds
    time.sleep(1)
    assert probe.cpu_seconds - before < 0.3, "the server spins"
    # As clients finish, the next ones are accepted, down to the last.
    for client in waiting:
        client.send(b"\r\n")
    answered = 0
    deadline = time.monotonic() + 60
    while waiting:
        done = served(waiting)
        for client in done:
            assert client.response().body == b"hello"
            client.close()
            waiting.remove(client)
        answered += len(done)
        assert time.monotonic() < deadline, f"{answered} of {CLIENTS} answered"
    assert answered == CLIENTS
    assert probe.request(request("/")).body == b"hello"


def test_many_long_bodies(serve_bounded):
    """More bodies on their way than descriptors for their files: they wait, none is refused."""
    probe = serve_bounded("probe.py", shell=f"ulimit -n {DESCRIPTORS}")
    body = b"x" * 300_000
    clients = [Peer(probe.address) for _ in range(DESCRIPTORS)]
    head = request("/digest", "POST", [("Content-Length", str(len(body)))])
    for client in clients:
        client.send(head + body[:100_000])
    for client in clients:
        sender = threading.Thread(target=client.send, args=(body[100_000:],), daemon=True)
        sender.start()
    for client in clients:
        assert client.response().body.startswith(b"300000 ")
        client.close()


@pytest.mark.long(7)
def test_a_chunked_body_waits_for_a_descriptor(serve_bounded):
    """It is not read on: what has no file would fill the memory."""
    probe = serve_bounded("probe.py", shell=f"ulimit -n {DESCRIPTORS}")
    length = 100 << 20
    with Peer(probe.address) as late:
        late.send(request("/"))
        assert late.response().body == b"hello"
        body = post_chunked("/digest", chunks(b"x" * length, 1 << 20))
        # An idle connection would give way to the others.
        late.send(body[:1000])
        held = [Peer(probe.address) for _ in range(DESCRIPTORS)]
        for client in held:
            client.send(request("/digest", "POST", [("Content-Length", "300000")], b"x" * 100_000))
        # Files of bodies and sockets have all there are.
        time.sleep(3)
        before = probe.resident_kib
        sender = threading.Thread(target=late.send, args=(body[1000:],), daemon=True)
        sender.start()
        for _ in range(30):
            time.sleep(0.1)
            assert probe.resident_kib - before < 32 << 10
        for client in held:
            client.close()
        assert late.response().body.startswith(b"%d " % length)


def test_no_place_for_a_body(serve_bounded, tmp_path):
    """The folder is missing: others do. The file may not grow: a 503, and the reason told."""
    probe = serve_bounded("probe.py", env={"TMPDIR": str(tmp_path / "missing")})
    body = b"x" * 3_000_000
    assert probe.request(post("/digest", body)).body.startswith(b"3000000 ")
    # Blocks of 512 bytes; the signal would end the process.
    probe = serve_bounded("probe.py", shell="trap '' XFSZ; ulimit -f 64")
    with Peer(probe.address) as client:
        client.send(request("/digest", "POST", [("Content-Length", "100000")], b"x" * 99_999))
        assert client.response().status == 503
    assert probe.request(request("/")).body == b"hello"
    assert "cannot be kept in a temporary file" in probe.stop().check().stderr


def test_no_descriptor_for_a_body(serve_bounded):
    """A body that cannot be spooled costs no more than its request, not the server's end."""
    probe = serve_bounded(
        "probe.py", shell=f"ulimit -n {DESCRIPTORS}", config={"max_connections": 10_000}
    )
    held = [Peer(probe.address) for _ in range(DESCRIPTORS)]
    for client in held:
        client.send(request("/")[:-2])
    body = request("/digest", "POST", [("Content-Length", "200000")], b"x" * 200_000)
    first = held[0]
    first.send(b"\r\n")
    assert first.response().body == b"hello"
    first.send(body)
    answer = first.response()
    assert answer.status in (500, 503) or answer.body.startswith(b"200000 ")
    for client in held:
        client.close()
    assert probe.request(request("/")).body == b"hello"

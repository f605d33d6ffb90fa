"""`wsgi.input`: every way of reading, at the sizes where its storage changes, held to `io.BytesIO`.

A body up to 64 KiB is kept in memory, a longer one in a temporary file that has no name; the
application must not be able to tell.
"""

import hashlib
import io
import json
import os
import random
import threading
import time

import pytest
from support import PATIENCE
from support.process import wait_until
from standard.message import chunks, post, post_chunked, request

WAYS = [
    "read", "read:1000", "read:65536", "read:100000000", "readline", "readline:100", "readlines",
    "readlines:5000", "iterate", "mixed", "wrapped",
]  # fmt: skip


def text(size):
    """`size` bytes in lines of many lengths, the same ones at every run."""
    draw = random.Random(size)
    lines, length = [], 0
    while length < size:
        line = draw.randbytes(draw.choice([0, 1, 10, 80, 5000])).replace(b"\n", b"-") + b"\n"
        lines.append(line)
        length += len(line)
    return b"".join(lines)[:size]


def expected_pieces(body, way):
    """What the same calls give on a BytesIO (tests/apps/standard/incoming.py)."""
    source = io.BytesIO(body)
    method, _, argument = way.partition(":")
    if method == "mixed":
        pieces = [source.readline(), source.read(3), source.readline(5), next(source, b"")]
        return [*pieces, source.read()]
    if method in ("iterate", "wrapped"):
        return list(source)
    arguments = [int(argument)] if argument else []
    if method == "readlines":
        return source.readlines(*arguments)
    if way == "read":
        return [source.read()]
    return list(iter(lambda: getattr(source, method)(*arguments), b""))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [0, 1, 100, 65535, 65536, 65537, 200_000, 1_500_000])
def test_every_way_of_reading(probe, size, way):
    body = text(size)
    pieces = expected_pieces(body, way)
    sizes = json.dumps([len(piece) for piece in pieces]).encode()
    with probe.connect() as client:
        for raw in (
            post(f"/echo?how={way}", body),
            post_chunked(f"/echo?how={way}", chunks(body, 9999)),
        ):
            client.send(raw)
            answer = client.response()
            assert answer.status == 200
            assert answer.body == b"".join(pieces)
            assert answer.header("X-Pieces") == str(len(pieces))
            assert answer.header("X-Sizes-Digest") == hashlib.sha1(sizes).hexdigest()
            assert answer.header("X-After", "empty") == "empty"


def test_pieces_are_native_byte_strings(probe, interpreter):
    kind = "str" if interpreter.major == 2 else "bytes"
    for way in "read", "read:2", "readline", "readlines", "iterate":
        answer = probe.request(post(f"/echo?how={way}", b"a\nb\nc"))
        assert answer.header("X-Types") == kind


def test_calls_with_odd_arguments(probe):
    """A size of 0 is nothing, a negative one all there is, and the end stays the end."""
    answer = probe.request(post("/oddities", b"ab\ncdef"))
    assert json.loads(answer.body) == ["", "", "ab\n", "cd", "ef", "", "", "", []]


def test_absent_body_reads_as_empty(probe):
    for way in WAYS:
        answer = probe.request(request(f"/echo?how={way}"))
        assert (answer.status, answer.body) == (200, b"")


def test_input_of_an_earlier_request_is_not_this_ones(probe):
    with probe.connect() as client:
        client.send(post("/keep-input", b"first"))
        assert client.response().body == b"kept"
        client.send(post("/use-kept-input", b"second"))
        answer = client.response().body
        assert answer in (b"old:first new:second", b"old: new:second")


@pytest.mark.wire
def test_slow_and_fast_uploads_do_not_mix(probe):
    """Two bodies arrive in turns, a piece each."""
    bodies = [bytes([letter]) * 300_000 for letter in b"ab"]
    clients = [probe.connect() for _ in bodies]
    for client, body in zip(clients, bodies):
        client.send(request("/echo", "POST", [("Content-Length", str(len(body)))]))
    for start in range(0, 300_000, 30_000):
        for client, body in zip(clients, bodies):
            client.send(body[start : start + 30_000])
    for client, body in zip(clients, bodies):
        assert client.response().body == body
        client.close()


def spooled(pid):
    """Descriptors of the process that are files without a name."""
    found = []
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
        except OSError:
            continue
        if target.endswith(" (deleted)"):
            found.append(target)
    return found


@pytest.mark.wire
def test_long_bodies_go_to_an_unlinked_file(serve_probe, tmp_path):
    """And the file is gone with its request, also when the client does not finish it."""
    probe = serve_probe("probe.py", env={"TMPDIR": str(tmp_path)})
    announced = [("Content-Length", "1000000")]
    for finish in True, False:
        with probe.connect() as client:
            client.send(request("/digest", "POST", announced, b"x" * 500_000))
            wait_until(lambda: len(spooled(probe.pid)) == 1, "the temporary file")
            assert not [path for path in tmp_path.iterdir() if path.is_file()]
            if finish:
                client.send(b"x" * 500_000)
                assert client.response().body.startswith(b"1000000 ")
        wait_until(lambda: spooled(probe.pid) == [], "the temporary file to go")


@pytest.mark.wire
@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_a_long_body_that_comes_at_once_needs_no_file(serve_probe, coding):
    """Up to 32 times `body_memory`; on a machine that stands still it may not come at once."""
    probe = serve_probe("probe.py", config={"body_memory": 20_000})

    def files(length):
        body = b"x" * length
        message = {
            "length": post("/files", body),
            "chunked": post_chunked("/files", chunks(body, 30_000)),
        }
        return probe.request(message[coding]).body

    longest = 32 * 20_000
    assert b"0" in (files(longest) for _ in range(20))
    assert files(longest + 1) == b"1"


@pytest.mark.wire
@pytest.mark.parametrize("length", [1 << 16, 1 << 18, 1 << 20, 1 << 21])
def test_chunked_bodies_move_on_as_they_grow(probe, length):
    """Around the sizes at which they move to another place nothing is lost."""
    whole = text(length + 140_000)
    with probe.connect() as client:
        for more in [-1, 0, 1, 65_535, 65_536, 65_537, 140_000]:
            body = whole[: length + more]
            message = post_chunked("/echo", chunks(body, 7_001 + more % 5_000))
            sender = threading.Thread(target=client.send, args=[message])
            sender.start()
            assert client.response().body == body
            sender.join(PATIENCE)


@pytest.mark.wire
@pytest.mark.parametrize("length", [100_000, 2_000_000, 3_000_000])
def test_a_request_behind_a_long_body(probe, length):
    """It comes with the body's end, and is the next one."""
    body = text(length)
    with probe.connect() as client:
        client.send(request("/echo", "POST", [("Content-Length", str(length))], body[:50_000]))
        sender = threading.Thread(
            target=client.send, args=[body[50_000:] + request("/") + request("/")[:5]]
        )
        sender.start()
        assert client.response().body == body
        assert client.response().body == b"hello"
        sender.join(PATIENCE)
        client.send(request("/")[5:])
        assert client.response().body == b"hello"


@pytest.mark.wire
def test_many_long_bodies_share_the_memory(serve_probe):
    """Fifty of 2,000,000 bytes, all but a few of which are here: 64 MiB are for all of them."""
    probe = serve_probe("probe.py")
    clients = [probe.connect() for _ in range(50)]

    def begin():
        for client in clients:
            client.send(request("/digest", "POST", [("Content-Length", "2000000")]))
            client.send(b"x" * 1_999_000)
        wait_until(lambda: len(spooled(probe.pid)) == 50, "all bodies to be in files")

    assert probe.peak_growth_kib(begin) <= 76 << 10
    complete(clients, 1000, 2_000_000)


def complete(clients, missing, length):
    """Send what is missing of each client's body, whose whole length the answer tells."""
    for client in clients:
        client.send(b"x" * missing)
        assert client.response().body.startswith(b"%d " % length)
        client.close()


@pytest.mark.wire
def test_memory_that_was_used_counts(serve_probe):
    """A short body that got the memory of a long one would keep more than it counts for."""
    probe = serve_probe("probe.py")
    clients = []

    def alternate():
        for _ in range(60):
            assert probe.request(post("/digest", b"x" * 2_000_000)).body.startswith(b"2000000 ")
            clients.append(probe.connect())
            clients[-1].send(request("/digest", "POST", [("Content-Length", "65537")]))

    assert probe.peak_growth_kib(alternate) <= 24 << 10
    complete(clients, 65537, 65537)


@pytest.mark.wire
def test_a_long_body_that_does_not_come_needs_no_file(serve_probe):
    """Its length is announced, and half a second is over."""
    probe = serve_probe("probe.py")
    with probe.connect() as client:
        client.send(request("/digest", "POST", [("Content-Length", "100000")], b"x" * 30_000))
        time.sleep(1.5)
        assert spooled(probe.pid) == []
        client.send(b"x" * 50_000)
        wait_until(lambda: len(spooled(probe.pid)) == 1, "the temporary file")
        client.send(b"x" * 20_000)
        assert client.response().body.startswith(b"100000 ")


@pytest.mark.wire
def test_a_chunked_body_that_pauses_goes_to_a_file(serve_probe):
    probe = serve_probe("probe.py")
    body = text(300_000)
    message = post_chunked("/echo", chunks(body, 10_000))
    with probe.connect() as client:
        client.send(message[:150_000])
        wait_until(lambda: len(spooled(probe.pid)) == 1, "the temporary file")
        client.send(message[150_000:])
        assert client.response().body == body


def upload(client, total, encode=lambda piece: piece):
    """Send `total` bytes of a repeated 1 MiB block; gives their SHA-1."""
    block, sha1 = random.Random(1).randbytes(1 << 20), hashlib.sha1()
    for _ in range(total >> 20):
        sha1.update(block)
        client.send(encode(block))
    return sha1.hexdigest()


@pytest.mark.wire
@pytest.mark.parametrize("megabytes", [100, pytest.param(1024, marks=pytest.mark.slow)])
@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_memory_does_not_grow_with_the_upload(serve_probe, tmp_path, megabytes, coding):
    """The growth allowed is 8 MiB whatever the size; the body arrives to the last byte."""
    probe = serve_probe("probe.py", config={"max_body_size": 2 << 30})
    probe.request(post("/digest", b"x" * 200_000))
    total = megabytes << 20

    def transfer():
        with probe.connect() as client:
            if coding == "length":
                client.send(request("/digest", "POST", [("Content-Length", str(total))]))
                digest = upload(client, total)
            else:
                client.send(request("/digest", "POST", [("Transfer-Encoding", "chunked")]))
                digest = upload(client, total, lambda piece: b"%x\r\n%b\r\n" % (len(piece), piece))
                client.send(b"0\r\n\r\n")
            assert client.response().body.decode() == f"{total} {digest}"

    assert probe.peak_growth_kib(transfer) <= 8 << 10


@pytest.mark.wire
def test_large_echo_in_both_directions(probe):
    """The client reads nothing before it has sent all; then the whole comes back."""
    body = text(20_000_000)
    with probe.connect() as client:
        sender = threading.Thread(target=client.send, args=[post("/echo", body)])
        sender.start()
        assert client.response().body == body
        sender.join(PATIENCE)

"""Seeded, bounded fuzzing of the whole server over a socket.

The corpus' requests are mutated, glued and cut; the answers must be HTTP or nothing, the server
must end in order afterwards, and must not have kept what the broken messages held. A failure names
the seed, and `bytes_of(seed)` gives the bytes again.
"""

import random

import pytest
from support.process import wait_until
from standard.corpus import cases
from standard.message import request

pytestmark = pytest.mark.wire

CASES = 1500

#: What tends to matter to a parser of HTTP.
TOKENS = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b",", b"%", b"?", b"#", b"/",
    b"HTTP/1.1",
    b"Content-Length: ", b"Transfer-Encoding: chunked", b"chunked", b"0\r\n\r\n", b"\r\n\r\n",
    b"Host: probe\r\n", b"Connection: close", b"Expect: 100-continue\r\n", b"GET ", b"POST ",
    b"HEAD ", b"\xff", b"\x80", b"%00", b"%2", b"..", b"-1", b"0", b"FFFFFFFFFFFFFFFF",
    b"99999999999999999999", b"7fffffff", b"\x0b", b"A" * 300, b"\x1b[0m", b"_", b"\"", b"\\",
]  # fmt: skip

SEEDS = [case.sent for case in cases() if len(case.sent) < 3000]


def bytes_of(seed):
    """The bytes of one case, and where they are cut."""
    draw = random.Random(seed)
    data = bytearray(b"".join(draw.choices(SEEDS, k=draw.choice([1, 1, 1, 2, 4]))))
    for _ in range(draw.choice([0, 1, 1, 2, 3, 8, 30])):
        at = draw.randrange(len(data) + 1)
        end = min(len(data), at + draw.choice([0, 1, 1, 2, 10, 100]))
        how = draw.randrange(5)
        if how == 0 and at < len(data):
            data[at] ^= 1 << draw.randrange(8)
        elif how == 1:
            del data[at:end]
        elif how == 2:
            data[at:end] = draw.choice(TOKENS)
        elif how == 3:
            data[at:at] = data[draw.randrange(len(data) + 1) :][: draw.choice([1, 10, 100])]
        else:
            data[at:at] = draw.randbytes(draw.choice([1, 2, 20]))
        if not data:
            data += b"G"
    data = bytes(data)
    cuts = sorted(draw.randrange(len(data)) for _ in range(draw.choice([0, 0, 1, 3])))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)])]


def test_fuzz(serve_probe, dialect):
    # What is no whole message waits for its rest: the half-close says that none will come.
    probe = serve_probe("mirror.py", dialect=dialect, config={"header_timeout": 5})
    probe.request(request("/"))
    descriptors = probe.descriptors
    for seed in range(CASES):
        pieces = bytes_of(seed)
        try:
            answer = exchange(probe, pieces)
        except Exception as error:
            raise AssertionError(f"seed {seed} of {dialect}: {pieces}") from error
        assert answer == b"" or answer.startswith(b"HTTP/1."), f"seed {seed}: {answer[:100]}"
        assert probe.alive, f"seed {seed}: {pieces}"
    wait_until(lambda: probe.descriptors <= descriptors, "all connections to be closed")
    assert b"REQUEST_METHOD" in probe.request(request("/")).body
    assert "panicked" not in probe.stderr


def exchange(probe, pieces):
    """What comes back, to the end; a reset is one, when a lingering server had enough."""
    with probe.connect() as client:
        try:
            client.send(*pieces)
            client.half_close()
        except OSError:
            pass
        try:
            return client.read_to_end()
        except ConnectionResetError:
            return b""


@pytest.mark.slow
def test_fuzz_longer(serve_probe, dialect):
    probe = serve_probe("mirror.py", dialect=dialect, config={"header_timeout": 5})
    for seed in range(CASES, 20 * CASES):
        answer = exchange(probe, bytes_of(seed))
        assert answer == b"" or answer.startswith(b"HTTP/1."), f"seed {seed}: {answer[:100]}"
    assert b"REQUEST_METHOD" in probe.request(request("/")).body

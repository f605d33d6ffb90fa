"""Python code in every place that the server calls, and anything that it may do there, by seeds.

A failure names the seed, and `/?SEED` of tests/apps/standard/anywhere.py does the same again.
"""

import pytest
from standard.message import request
from support.client import ProtocolError

SEEDS = 150


def closing(target):
    return request(target, headers=[("Connection", "close")])


@pytest.mark.parametrize("room", ["ample", "little"])
def test_anything_anywhere(serve_probe, dialect, room):
    env = {"ANYWHERE_LIMIT": "1"} if room == "little" else {}
    server = serve_probe("anywhere.py", dialect=dialect, env=env)
    for seed in range(SEEDS):
        try:
            raw = server.exchange(closing(f"/?{seed}"))
        except (OSError, ProtocolError):
            raw = b""
        assert server.alive, f"seed {seed}: {server.wait().transcript}"
        assert raw.count(b"HTTP/1.") <= 1, f"seed {seed}: {raw[:2000]!r}"
        assert not raw or raw.startswith(b"HTTP/1."), f"seed {seed}: {raw[:200]!r}"
        raw = server.exchange(closing("/hello"))
        printed = (server.stderr[-3000:], server.stdout[-3000:])
        said = "\n".join([f"seed {seed}: {raw!r}", *printed])
        assert raw.startswith(b"HTTP/1.") and raw.endswith(b"hello"), said

"""A class of the base module that a program patched is called, not replaced by its effect."""

import pytest
from standard.message import request


@pytest.mark.parametrize(
    "patch, seen", [("", b"dict no"), ("uri", b"Environ yes"), ("extra", b"Environ no")]
)
def test_patched_before_the_server_runs(serve_probe, patch, seen):
    probe = serve_probe("patched.py", env={"PATCH": patch})
    assert probe.request(request("/")).body == seen


def test_patched_while_the_server_runs(serve_probe):
    probe = serve_probe("patched.py")
    with probe.connect() as client:
        for target, seen in [
            ("/", b"dict no"),
            ("/", b"dict no"),
            ("/patch", b"dict no"),
            ("/", b"Environ yes"),
            ("/", b"Environ yes"),
        ]:
            client.send(request(target))
            assert client.response().body == seen


def test_a_patched_head(serve_probe):
    probe = serve_probe("patched.py", env={"PATCH": "head"})
    assert probe.request(request("/")).header("X-Patched") == "yes"

"""Fixtures of these tests: the probe of the standard dialect's, in either dialect and any state."""

import functools

import pytest
from stays_up.bounded import BoundedProbe
from standard.conftest import name, probe, serve_probe, shared_probe  # noqa: F401


@pytest.fixture
def serve_bounded(interpreter, start_process):
    """A probe that a shell starts: `serve_bounded("probe.py", shell="ulimit -n 64")`."""
    return functools.partial(start_process, BoundedProbe, interpreter)

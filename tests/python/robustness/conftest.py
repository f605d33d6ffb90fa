"""Fixtures of these tests: the probe of the standard dialect's, in either dialect and any state."""

import functools

import pytest
from robustness.bounded import BoundedProbe
from standard.conftest import name, probe, serve_probe, shared_probe  # noqa: F401
from standard.probe import Probe


@pytest.fixture
def serve_bounded(interpreter, start_process):
    """A probe that a shell starts: `serve_bounded("probe.py", shell="ulimit -n 64")`."""
    return functools.partial(start_process, BoundedProbe, interpreter)


@pytest.fixture
def serve_newest(python3, start_process):
    """A probe on the newest Python 3 alone, for tests that mostly wait: clocks, deadlines and
    sockets are the core's, and know nothing of the interpreter."""
    return functools.partial(start_process, Probe, python3)

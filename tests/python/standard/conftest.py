"""Fixtures of the standard dialect: one probe an interpreter, shared by all tests that can."""

import functools
import itertools

import pytest
from standard.probe import Probe, shared

NAMES = itertools.count()


@pytest.fixture
def name():
    """A journal name that no other test has."""
    return f"event{next(NAMES)}"


@pytest.fixture(scope="session")
def shared_probe(interpreter, tmp_path_factory):
    """The probe with the stock settings; `probe` is what tests take."""
    server = Probe(interpreter, "probe.py", tmp_path_factory.mktemp(f"probe-{interpreter.name}"))
    yield server
    if server.alive:
        server.stop().check()


@pytest.fixture
def probe(shared_probe):
    """The shared probe, started again if a test before broke it; the test that does has failed."""
    if not shared_probe.alive:
        shared_probe.outcome = None
        shared_probe.ready.unlink(missing_ok=True)
        shared_probe.start()
    yield shared_probe
    assert shared_probe.alive, shared_probe.wait().transcript


@pytest.fixture
def serve_probe(interpreter, start_process):
    """A probe with settings of its own: `serve_probe("probe.py", config={...})`."""
    return functools.partial(start_process, Probe, interpreter)


@pytest.fixture(scope="session")
def reentrant(interpreter, tmp_path_factory):
    """A server of tests/apps/standard/reentrant.py, for tests of what must not break it."""
    with shared(interpreter, "reentrant.py", tmp_path_factory) as server:
        yield server

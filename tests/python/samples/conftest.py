"""Fixtures of the samples' tests, and which combinations of them are worth running."""

import functools

import pytest
from program import Sample
from proxies import make_certificate
from support import interpreters


@pytest.fixture
def run_sample(interpreter, dialect, start_process):
    """`run_sample("hello", "hello_world.py", ...)`: a `Sample` that serves, ended after the test.

    It runs in the interpreter under test and in each dialect.
    """
    return functools.partial(start_process, Sample, interpreter, dialect=dialect)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A folder with cert.pem, key.pem, and site.pem that holds both, for `localhost`."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


def pytest_collection_modifyitems(config, items):
    """Drop the legacy dialect on every Python 3 but one: nothing of it depends on the version."""
    newest = interpreters.selected()[-1]

    def repeats(item):
        if "run_sample" not in getattr(item, "fixturenames", ()):
            return False
        chosen = item.callspec.params
        interpreter, dialect = chosen["interpreter"], chosen["dialect"]
        return dialect == "legacy" and interpreter.version[0] == 3 and interpreter != newest

    config.hook.pytest_deselected(items=[item for item in items if repeats(item)])
    items[:] = [item for item in items if not repeats(item)]

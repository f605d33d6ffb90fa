"""Fixtures of the samples' tests."""

import functools

import pytest
from program import Sample


@pytest.fixture
def run_sample(interpreter, dialect, start_process):
    """`run_sample("hello", "hello_world.py", ...)`: a `Sample` that serves, ended after the test.

    It runs in the interpreter under test and in each dialect.
    """
    return functools.partial(start_process, Sample, interpreter, dialect=dialect)

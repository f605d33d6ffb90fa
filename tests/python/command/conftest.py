"""Fixtures of the command's tests."""

import functools

import pytest
from command import HELLO, Anew, Command, Once, write


@pytest.fixture
def home(tmp_path):
    """A folder with the module `hello`."""
    return write(tmp_path / "home", hello=HELLO)


@pytest.fixture
def run_command(interpreter, start_process, home):
    """`run_command("hello:app", "--workers", 2)`: the command, serving."""
    return functools.partial(start_process, Command, interpreter, home=home)


@pytest.fixture
def run_anew(interpreter, start_process, home):
    """As `run_command`, in an interpreter that is started for it."""
    return functools.partial(start_process, Anew, interpreter, home=home)


@pytest.fixture
def call(interpreter, tmp_path, home):
    """`call("--check", "hello:app")`: a call that ends by itself; returns its Outcome."""
    counter = iter(range(1000))

    def call(*arguments, **options):
        folder = tmp_path / f"call{next(counter)}"
        process = Once(interpreter, *arguments, folder=folder, **{"home": home, **options})
        return process.start().wait()

    return call

"""The functions of `_evwsgi`, tested in the process of each interpreter under test.

The tests themselves are the methods of the unittest cases in this folder, which Python 2.7
reads as well. Each runs in a process of its own, since timers, sockets and applications belong to
the process.
"""

import ast
import pathlib

import pytest
from support.process import Process

FOLDER = pathlib.Path(__file__).parent


def methods():
    """(file, `Class.test_name`) of every test method in the folder."""
    for path in sorted(FOLDER.glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            for part in getattr(node, "body", []) if isinstance(node, ast.ClassDef) else []:
                if isinstance(part, ast.FunctionDef) and part.name.startswith("test_"):
                    yield path.name, f"{node.name}.{part.name}"


class Method(Process):
    """One test method."""

    may_fork = True


@pytest.mark.parametrize(("file", "method"), methods())
def test_in_process(interpreter, file, method, start_process):
    process = start_process(Method, [interpreter.python, FOLDER / file, method])
    outcome = process.wait().check()
    assert "Ran 1 test" in outcome.stderr, outcome.transcript

"""Runs the tests of `unit` inside each interpreter under test, against the installed package."""

import pathlib
import subprocess

from rig.process import clean_environment

UNIT = pathlib.Path(__file__).parent / "unit"

#: What those tests need: the last pytest and Django of Python 2.7, the current ones of Python 3.
REQUIREMENTS = {2: ["pytest==4.6.11", "django==1.11.29"], 3: ["pytest", "django"]}


def test_the_package(interpreter):
    """All of `unit` passes; its report is the failure's message."""
    library = interpreter.library(*REQUIREMENTS[interpreter.major])
    answer = subprocess.run(
        [interpreter.python, "-m", "pytest", "-q"],
        cwd=UNIT,
        env=clean_environment({"PYTHONPATH": str(library)}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    assert answer.returncode == 0, answer.stdout
    assert "skipped" not in answer.stdout, answer.stdout

"""Runs the tests of `unit` inside each interpreter under test, against the installed package."""

import pathlib

import pytest
from programs import output_of

UNIT = pathlib.Path(__file__).parent / "unit"


@pytest.mark.long(10)
def test_the_package(interpreter):
    """All of `unit` passes, and none of it is skipped; its report is the failure's message."""
    report = output_of(interpreter, ["-m", "pytest", "-q"], UNIT)
    assert " passed" in report
    assert "skipped" not in report, report

"""Whole programs, run on the original and on our core: they print the same and end the same way.

Each of tests/apps/legacy/programs keeps to what the original does without crashing and ends by
itself.
"""

import pytest
from support import APPS
from support.process import Process

PROGRAMS = sorted(path.name for path in (APPS / "legacy" / "programs").glob("*.py"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_the_same_on_both(name, original, dropped_in, start_process):
    first, second = (
        start_process(
            Process, [site.python, APPS / "legacy" / "programs" / name], env=site.env
        ).wait()
        for site in (original, dropped_in)
    )
    assert first.returncode == 0, first.transcript
    assert len(first.stdout.splitlines()) >= 5
    assert second == first

"""The support code's own tests: what the suite says of the interpreters."""

import os
import subprocess
import sys

from support import ROOT


def test_who_chose_an_interpreter_reads_no_warning():
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    outcome = subprocess.run(
        [*command, "tests/python/support/test_client.py"],
        cwd=ROOT, env={**env, "FAPWS_TEST_PYTHONS": "newest"}, capture_output=True, text=True,
        check=True,
    )
    assert "servers ran on Python" in outcome.stdout
    assert "no Python 2.7" not in outcome.stdout

"""The support code: what every test under tests/python stands on.

Pytest runs once, on some Python 3 (the driver). The servers it talks to are subprocesses of the
interpreters under test, each with the package installed into a virtual environment of its own:

- `interpreters` finds the Pythons of this machine and picks those to test with;
- `environment` makes a virtual environment and installs the package into it;
- `pristine` fetches the original Fapws3 from the package index, the legacy dialect's reference;
- `ports` chooses ports for programs that must be given one;
- `process` and `server` run programs and servers, and collect what they leave behind;
- `client` is a raw-socket HTTP client that sends exactly the bytes it is told to;
- `launch` is the program a server subprocess runs, the only file here that Python 2.7 reads.

Nothing here measures time to decide whether a test passes: `PATIENCE` bounds waiting, no more.
"""

import os
import pathlib

import pytest

#: The project's top folder.
ROOT = pathlib.Path(__file__).resolve().parents[3]

#: Folder of the small applications that tests serve.
APPS = ROOT / "tests" / "apps"

#: Seconds after which something awaited is taken for stuck. Raise it under a sanitizer or valgrind.
PATIENCE = float(os.environ.get("FAPWS_TEST_PATIENCE", "60"))


def unavailable(what):
    """End a test that this machine cannot run: skipped, but failed where CI is set."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)

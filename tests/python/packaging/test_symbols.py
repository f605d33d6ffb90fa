"""The core for Python 2.7 needs no symbol that Python 2.6 lacks: old deployments may be on 2.6."""

import pathlib
import shutil
import subprocess

from support import unavailable

LIST = pathlib.Path(__file__).with_name("python26.txt")


def exported_by_2_6():
    """The names in the list, without its comment."""
    lines = LIST.read_text().splitlines()
    return {name for line in lines if not line.startswith("#") for name in line.split()}


def needed(extension):
    """The symbols of Python that a shared object leaves to the interpreter."""
    if not shutil.which("nm"):
        unavailable("no nm on this machine: nothing lists the symbols")
    listed = subprocess.run(
        ["nm", "-D", "--undefined-only", extension], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    names = {line.split()[-1] for line in listed.splitlines()}
    return {name for name in names if name.startswith(("Py", "_Py"))}


def test_the_core_needs_nothing_newer(python2):
    symbols = needed(python2.extension)
    assert len(symbols) > 50
    assert symbols - exported_by_2_6() == set()

"""Finds the CPythons of this machine and picks the ones to test with.

Looked for in pyenv's versions folder, in build/pythons (which `make pythons` fills), then under the
usual names on PATH. An interpreter counts when it runs and answers `PROBE`. pyenv's shims lead to
one of its versions, or to none, and take their time for it: they are left out. Of several with the
same major and minor version the first found is kept.

`FAPWS_TEST_PYTHONS` overrides the pick: `all`, `newest`, or a comma-separated list of versions
(`2.7,3.13`) and paths of executables.
"""

import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
from dataclasses import dataclass

from . import ROOT

#: The lowest Python 3 that the crate's bindings know.
OLDEST_PYTHON_3 = (3, 9)

PROBE = """
import json, platform, sys, sysconfig
print(json.dumps({
    "executable": sys.executable,
    "version": sys.version_info[:3],
    "usable": platform.python_implementation() == "CPython"
        and sys.version_info[3] == "final"
        and not sysconfig.get_config_var("Py_GIL_DISABLED"),
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python that can be run: its executable and its version, as (major, minor, micro)."""

    executable: str
    version: tuple

    @property
    def name(self):
        """Short name in test ids and folder names, such as `py2.7`."""
        return f"py{self.version[0]}.{self.version[1]}"


def probe(executable):
    """The interpreter behind `executable`, or None when it does not run or is no final CPython."""
    try:
        answer = subprocess.run(
            [executable, "-c", PROBE],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=True,
        )
        facts = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Interpreter(facts["executable"], tuple(facts["version"])) if facts["usable"] else None


def supported(interpreter):
    """Whether the package is meant to run on this interpreter."""
    short = interpreter.version[:2]
    return short == (2, 7) or short >= OLDEST_PYTHON_3


@functools.lru_cache(maxsize=None)
def found():
    """Every supported interpreter of this machine, one a version, oldest first."""
    by_version = {}
    for candidate in _candidates():
        interpreter = probe(candidate)
        if interpreter and supported(interpreter):
            by_version.setdefault(interpreter.version[:2], interpreter)
    return tuple(by_version[version] for version in sorted(by_version))


def are_chosen():
    """Whether FAPWS_TEST_PYTHONS says which to test with."""
    return bool(os.environ.get("FAPWS_TEST_PYTHONS", "").strip())


@functools.lru_cache(maxsize=None)
def selected():
    """The interpreters to test with: 2.7, the oldest and the newest 3, unless told otherwise."""
    wish = os.environ.get("FAPWS_TEST_PYTHONS", "").strip()
    if wish == "all":
        return found()
    if wish == "newest":
        return found()[-1:]
    if wish:
        return tuple(_wished(word.strip()) for word in wish.split(","))
    twos = [each for each in found() if each.version[0] == 2]
    threes = [each for each in found() if each.version[0] == 3]
    return tuple(dict.fromkeys(twos + threes[:1] + threes[-1:]))


def chosen_for(test):
    """Those that this test of pytest's runs on, by its mark.

    `wire`: the newest; `each_major`: the newest of 2 and of 3; no mark: all. Where
    FAPWS_TEST_PYTHONS says which, a test runs on each of them.
    """
    if are_chosen():
        return selected()
    if test.get_closest_marker("wire"):
        return selected()[-1:]
    if test.get_closest_marker("each_major"):
        return tuple({each.version[0]: each for each in selected()}.values())
    return selected()


def _wished(word):
    interpreter = probe(word) if os.sep in word else None
    for each in found():
        if word == ".".join(map(str, each.version[:2])):
            interpreter = each
    if interpreter is None or not supported(interpreter):
        raise LookupError(f"FAPWS_TEST_PYTHONS names {word!r}, which is no Python to be found here")
    return interpreter


def _candidates():
    root = _pyenv_root()
    for folder in sorted(pathlib.Path(root, "versions").glob("*")) if root else []:
        yield str(folder / "bin" / "python")
    # What `make pythons` brings.
    for path in sorted((ROOT / "build" / "pythons" / "bin").glob("python3.*[0-9]")):
        yield str(path)
    shims = pathlib.Path(root, "shims") if root else None
    names = ["python2.7", "python2"]
    names += [f"python3.{minor}" for minor in range(OLDEST_PYTHON_3[1], 30)]
    names += ["python3", "python"]
    for name in names:
        path = shutil.which(name)
        if path and pathlib.Path(path).parent != shims:
            yield path
    # The driver itself may be a virtual environment of an interpreter with no name on PATH.
    yield getattr(sys, "_base_executable", sys.executable)


def _pyenv_root():
    root = os.environ.get("PYENV_ROOT")
    if not root and shutil.which("pyenv"):
        answer = subprocess.run(["pyenv", "root"], stdout=subprocess.PIPE, text=True, check=False)
        root = answer.stdout.strip()
    return root


if __name__ == "__main__":
    # `python -m support.interpreters 3.14`: whether this Python, or a later one, was found.
    least = tuple(map(int, sys.argv[1].split(".")))
    sys.exit(not found() or found()[-1].version < least)

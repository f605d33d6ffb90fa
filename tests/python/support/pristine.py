"""The original Fapws3, fetched from the package index: the reference of the legacy dialect.

It is source only and for Python 2 only. It is kept under build/ once fetched, unpacked and,
where a test needs it running, compiled into a virtual environment of its own.
"""

import pathlib
import subprocess
import tarfile

from . import ROOT
from .environment import Environment, exclusive, run
from .process import clean_environment

REQUIREMENT = "fapws3==0.11.dev"


def unpacked(interpreter):
    """The folder of the original's unpacked, unbuilt source. `interpreter` is a Python 2.7."""
    folder = ROOT / "build" / "pristine"
    with exclusive("pristine"):
        environment = _environment(interpreter)
        if not list(folder.glob("*/setup.py")):
            archive = _download(environment, folder)
            with tarfile.open(archive) as tar:
                tar.extractall(folder)
    (setup,) = folder.glob("*/setup.py")
    return setup.parent


def built(interpreter):
    """The environment with the original compiled and installed. `interpreter` is a Python 2.7."""
    source = unpacked(interpreter)
    with exclusive("pristine"):
        environment = _environment(interpreter)
        if not list(environment.site_packages.glob("fapws3*")):
            flat = ["--single-version-externally-managed", "--record", source / "installed.txt"]
            run(environment.python, "setup.py", "install", *flat, cwd=source, env=search_paths())
    return environment


def _environment(interpreter):
    environment = Environment(interpreter, ROOT / ".venv-pristine")
    if not pathlib.Path(environment.python).exists():
        environment.create()
    return environment


def _download(environment, folder):
    options = ["--no-deps", "--no-binary", ":all:", "--dest", folder]
    environment.pip("download", *options, REQUIREMENT, env=search_paths())
    (archive,) = folder.glob("fapws3-*.tar.gz")
    return archive


def search_paths():
    """The environment in which its setup.py, which even a download runs, finds libev."""
    answer = subprocess.run(
        ["cc", "-print-file-name=libev.so"], stdout=subprocess.PIPE, text=True, check=True
    )
    library = pathlib.Path(answer.stdout.strip())
    return clean_environment(
        {"C_INCLUDE_PATH": "/usr/include", "LD_LIBRARY_PATH": str(library.resolve().parent)}
    )

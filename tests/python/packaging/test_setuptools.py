"""`setup.py install` with the setuptools of old systems and of today.

distribute 0.6.24 came with Debian 7, setuptools 0.9.8 with RHEL 7; 44 is the last for Python 2.7.
Each is put before the interpreter's own on PYTHONPATH. The core is not compiled again: a cargo of
ours names the one that the environment under test has.
"""

import shutil
import tarfile
import zipfile

import pytest
from support import ROOT
from support.environment import cargo_that_has_built, copy_of_sources, exclusive, run
from support.process import clean_environment


def unpacked(python2, requirement):
    """The folder of a distribution that is older than wheels, from the package index."""
    folder = ROOT / "build" / "setuptools" / requirement
    with exclusive("setuptools"):
        if not folder.exists():
            partial = folder.with_name(requirement + ".part")
            shutil.rmtree(partial, ignore_errors=True)
            options = ["--no-deps", "--no-binary", ":all:", "--dest", partial]
            python2.pip("download", *options, requirement)
            (archive,) = partial.iterdir()
            opened = zipfile.ZipFile if archive.suffix == ".zip" else tarfile.open
            with opened(archive) as packed:
                packed.extractall(partial)
            (found,) = [each for each in partial.iterdir() if each.is_dir()]
            # distribute's own start-up file, which hides Python's.
            (found / "site.py").unlink(missing_ok=True)
            found.rename(folder)
            shutil.rmtree(partial)
    return folder


def install(environment, setuptools, tmp_path):
    """Install the sources below `tmp_path`; setuptools' version and the package's folder."""
    source, root = copy_of_sources(tmp_path / "source"), tmp_path / "root"
    cargo = cargo_that_has_built(environment.extension, tmp_path)
    env = clean_environment({"PYTHONPATH": str(setuptools), "CARGO": str(cargo)})
    python = environment.interpreter.executable
    version = run(python, "-c", "print(__import__('setuptools').__version__)", env=env)
    words = ["setup.py", "-q", "install", "--root", root, "--record", tmp_path / "record"]
    run(python, *words, cwd=source, env=env)
    (core,) = root.rglob("_evwsgi*.so")
    return version.strip(), core.parent


def assert_complete(package):
    """Every Python file and stub of the sources is installed."""
    wanted = {path.relative_to(ROOT / "fapws") for path in (ROOT / "fapws").rglob("*.py*")}
    wanted = {path for path in wanted if path.suffix != ".pyc"}
    installed = {path.relative_to(package) for path in package.rglob("*")}
    assert len(wanted) > 40
    assert wanted <= installed, sorted(wanted - installed)


@pytest.mark.parametrize("name", ["distribute==0.6.24", "setuptools==0.9.8", "setuptools==3.3"])
def test_old(python2, name, tmp_path):
    version, package = install(python2, unpacked(python2, name), tmp_path)
    assert version in ("0.6", name.partition("==")[2])
    assert_complete(package)


def test_the_last_for_python_2(python2, tmp_path):
    version, package = install(python2, python2.library("setuptools==44.1.1"), tmp_path)
    assert version == "44.1.1"
    assert_complete(package)


def test_todays(python3, tmp_path):
    version, package = install(python3, python3.library("setuptools"), tmp_path)
    assert int(version.partition(".")[0]) >= 80
    assert_complete(package)

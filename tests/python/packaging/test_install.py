"""Installing as users do, on Python 2.7 and the newest 3: `setup.py install` and `pip install .`.

It starts from the source distribution, unpacked, so that a file which is missing there is missed
here; each installation goes into a fresh virtual environment and must serve.
"""

import os
import pathlib
import shutil
import sys
import tarfile

import pytest
from support import ROOT, interpreters, unavailable
from support.environment import (
    QUICK_BUILD,
    BuildError,
    Environment,
    cargo_that_has_built,
    exclusive,
    run,
    source_distribution,
)
from support.process import clean_environment

#: One of Python 2, if there is one, and the newest of Python 3.
PYTHONS = list({each.version[0]: each for each in interpreters.selected()}.values())


@pytest.fixture(scope="session")
def source(python3):
    """The unpacked source distribution, where it was the last time: what cargo knows holds.

    Every test process has the same one, with `alone_with_it`.
    """
    folder = ROOT / "build" / "tests" / "sdist"
    with exclusive("install"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        archive = source_distribution(python3, folder)
        with tarfile.open(archive) as tar:
            tar.extractall(folder)
    return archive.with_name(archive.name[: -len(".tar.gz")])


@pytest.fixture
def alone_with_it(source):
    """The same, for as long as a test builds in it."""
    with exclusive("install"):
        yield source


@pytest.fixture
def build_variables():
    """The environment's variables, with one folder for what cargo makes of every installation."""
    return clean_environment(QUICK_BUILD)


def with_a_core_of(environment, folder):
    """The variables where what cargo does is not what is tested."""
    cargo = cargo_that_has_built(environment.extension, folder)
    return clean_environment({"CARGO": str(cargo)})


def stock_environment(interpreter, source):
    """A fresh virtual environment with no more than the interpreter brings: its own pip.

    It is beside the source, where the last one was: cargo need not compile for another Python.
    """
    folder = source.parent / f"venv-{interpreter.name}"
    shutil.rmtree(folder, ignore_errors=True)
    environment = Environment(interpreter, folder)
    if environment.major == 2:
        bare = ["--no-pip", "--no-setuptools", "--no-wheel", "-p", interpreter.executable]
        run(sys.executable, "-m", "virtualenv", "-q", *bare, folder)
        run(environment.python, "-m", "ensurepip")
    else:
        run(interpreter.executable, "-m", "venv", folder)
    return environment


def assert_serves(environment, start_server):
    """The package that is installed there answers, from a folder that is not the source's."""
    suffix = (
        ".so"
        if environment.major == 2
        else environment.evaluate("__import__('sysconfig').get_config_var('EXT_SUFFIX')").strip("'")
    )
    found = environment.evaluate("__import__('fapws._evwsgi')._evwsgi.__file__").strip("'")
    assert pathlib.Path(found).name == "_evwsgi" + suffix
    assert environment.folder in pathlib.Path(found).parents
    server = start_server(environment, "hello.py")
    assert server.get("/hello").body == b"Hello World!!"


@pytest.mark.long(10)
@pytest.mark.parametrize("base", PYTHONS, ids=lambda each: each.name)
def test_setup_py_install(base, alone_with_it, build_variables, start_server):
    environment = stock_environment(base, alone_with_it)
    if base.version >= (3, 12):
        environment.pip("install", "setuptools")
    run(environment.python, "setup.py", "install", cwd=alone_with_it, env=build_variables)
    assert_serves(environment, start_server)


@pytest.mark.long(10)
@pytest.mark.parametrize("base", PYTHONS, ids=lambda each: each.name)
def test_pip_install(base, alone_with_it, build_variables, start_server):
    environment = stock_environment(base, alone_with_it)
    environment.pip("install", ".", cwd=alone_with_it, env=build_variables)
    assert_serves(environment, start_server)
    # The original's name: pip replaces an installed one.
    assert "fapws3" in environment.pip("freeze")


def test_pip_replaces_the_original(pristine_built, python2, alone_with_it, tmp_path):
    environment = stock_environment(python2.interpreter, alone_with_it)
    packages = environment.site_packages
    for each in pristine_built.site_packages.glob("fapws*"):
        shutil.copytree(each, packages / each.name)
    assert "0.11" in environment.pip("freeze")
    variables = with_a_core_of(python2, tmp_path)
    environment.pip("install", "--upgrade", ".", cwd=alone_with_it, env=variables)
    assert "0.11" not in environment.pip("freeze")
    assert environment.evaluate("__import__('fapws.config').config.SERVER_IDENT") != "'fapws3/0.11'"


def test_build_in_place_needs_no_setuptools(python3, alone_with_it, tmp_path):
    # -S leaves site-packages out, and setuptools with them.
    python = python3.interpreter.executable
    command = [python, "-S", "setup.py", "build_ext", "--inplace"]
    run(*command, cwd=alone_with_it, env=with_a_core_of(python3, tmp_path))
    program = "import fapws._evwsgi as core; print(core.__file__)"
    found = run(python, "-S", "-c", program, cwd=alone_with_it).strip()
    assert pathlib.Path(found).parent == alone_with_it / "fapws"
    os.remove(found)


@pytest.fixture
def path_without_cargo(tmp_path):
    """A value of PATH with the system's usual folders, but for those that have a cargo."""
    folders = [each for each in ["/usr/bin", "/bin"] if not os.path.exists(each + "/cargo")]
    return os.pathsep.join(folders) or unavailable("cargo lies among the system's own programs")


@pytest.mark.parametrize("base", PYTHONS, ids=lambda each: each.name)
def test_no_cargo_is_one_clear_line(base, alone_with_it, path_without_cargo):
    env = clean_environment({"PATH": path_without_cargo})
    with pytest.raises(BuildError) as caught:
        run(base.executable, "setup.py", "build_ext", "--inplace", cwd=alone_with_it, env=env)
    lines = str(caught.value).splitlines()
    assert lines[-1].startswith("error: the core of fapws is compiled by cargo, Rust ")
    assert "Traceback" not in str(caught.value)


def test_an_old_cargo_is_one_clear_line(python3, alone_with_it, tmp_path):
    cargo = tmp_path / "cargo"
    cargo.write_text("#!/bin/sh\necho 'cargo 1.65.0 (0)'\n")
    cargo.chmod(0o755)
    env = clean_environment({"PATH": f"{tmp_path}:/usr/bin:/bin"})
    with pytest.raises(BuildError) as caught:
        run(python3.python, "setup.py", "build_ext", "--inplace", cwd=alone_with_it, env=env)
    last = str(caught.value).splitlines()[-1]
    assert "the one on PATH is cargo 1.65.0" in last and "rustup" in last

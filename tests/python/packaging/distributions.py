"""What `make wheel` and `make dist` leave in dist/, installed into fresh environments: only those
run it.

The wheel for this machine serves every Python 3 found, that for Python 2.7 its own; both need
neither cargo nor libev. One for another machine serves under qemu's emulation, where Debian has a
Python and qemu-user-static for it. The source distribution serves Python 2.7.
"""

import pathlib
import platform
import subprocess
import sys

import pytest
from support import APPS, ROOT, interpreters
from support.environment import BuildError, Environment, run
from support.process import clean_environment

DIST = ROOT / "dist"
MACHINE = platform.machine()
HERE = [path for path in DIST.glob("*.whl") if path.stem.endswith(MACHINE)]
ELSEWHERE = [path for path in DIST.glob("*.whl") if path not in HERE]
PYTHONS = interpreters.found()

#: Debian's names of machines, by the kernel's.
DEBIAN = {"aarch64": "arm64", "x86_64": "amd64"}

#: The pips that Python 2.7's deployments have.
OLD_PIPS = ["pip==9.0.3", "pip==20.3.4"]


def wheels(major, files):
    """The wheels for this Python, 2 or 3."""
    return [path for path in files if ("-cp27-" in path.name) == (major == 2)]


def assert_serves(server):
    """The hello application is served, by a libev whose path is returned."""
    answer = server.get("/hello")
    assert (answer.status, answer.body) == (200, b"Hello World!!")
    maps = pathlib.Path(f"/proc/{server.pid}/maps").read_text()
    return {line.split()[-1] for line in maps.splitlines() if "/libev" in line}


def assert_has_its_libev(environment, start_server):
    """Served by the libev of the wheel, whatever the machine has."""
    (libev,) = assert_serves(start_server(environment, "hello.py"))
    assert environment.folder in pathlib.Path(libev).parents


def test_there_is_something():
    assert list(DIST.glob("*.whl"))


@pytest.mark.parametrize("wheel", wheels(3, HERE), ids=lambda path: path.name)
@pytest.mark.parametrize(
    "base", [each for each in PYTHONS if each.version[0] == 3], ids=lambda each: each.name
)
def test_the_wheel(wheel, base, tmp_path, start_server):
    environment = Environment(base, tmp_path / "venv").create()
    env = clean_environment({"PATH": str(environment.folder / "bin")})
    environment.pip("install", "--no-index", wheel, env=env)
    assert_has_its_libev(environment, start_server)
    assert environment.extension.name == "_evwsgi.abi3.so"


@pytest.mark.parametrize("wheel", wheels(2, HERE), ids=lambda path: path.name)
@pytest.mark.parametrize("pip", OLD_PIPS)
def test_the_wheel_of_python_2(wheel, pip, python2, tmp_path, start_server):
    if pip == OLD_PIPS[0] and "linux_x86_64" not in wheel.stem.split("-")[-1].split("."):
        pytest.skip("the index's form of the wheel, which needs pip 19.3")
    environment = Environment(python2.interpreter, tmp_path / "venv").create()
    environment.pip("install", pip)
    env = clean_environment({"PATH": str(environment.folder / "bin")})
    environment.pip("install", "--no-index", wheel, env=env)
    assert_has_its_libev(environment, start_server)


def test_the_source_distribution_on_python_2(python2, tmp_path, start_server):
    environment = Environment(python2.interpreter, tmp_path / "venv").create()
    environment.pip("install", *DIST.glob("*.tar.gz"))
    assert_serves(start_server(environment, "hello.py"))


@pytest.mark.parametrize("wheel", ELSEWHERE, ids=lambda path: path.name)
def test_the_wheel_of_another_machine(wheel, tmp_path):
    machine = wheel.stem.rpartition("manylinux2014_")[2].partition(".")[0]
    root = ROOT / "build" / "machines" / machine
    emulators = ROOT / "build" / "machines" / "qemu"
    try:
        run(ROOT / ".ci/debian", root, f"bookworm/{DEBIAN.get(machine, machine)}", "python3")
        run(ROOT / ".ci/debian", emulators, "bookworm", "qemu-user-static")
    except BuildError as error:
        pytest.skip(f"no Python of Debian for {machine} here: {error}")
    run(sys.executable, "-m", "zipfile", "-e", wheel, tmp_path)
    emulator = [emulators / f"usr/bin/qemu-{machine}-static", "-L", root]
    answer = subprocess.run(
        [*map(str, emulator), root / "usr/bin/python3", APPS / "everything_once.py"],
        env=clean_environment({"PYTHONPATH": str(tmp_path)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert answer.stdout.splitlines()[-1:] == ["served everything"], answer.stdout
    assert answer.returncode == 0


def test_the_wheels_are_for_old_systems():
    for path in DIST.glob("*.whl"):
        assert "-cp39-abi3-manylinux2014_" in path.name or "-cp27-cp27mu-" in path.name, path.name
        assert "manylinux2014_" in path.name

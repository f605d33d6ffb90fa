"""What `make wheel` leaves in dist/, installed into fresh environments: only that runs it.

The wheel serves every Python 3 of the machine, and needs neither cargo nor libev; the source
distribution serves Python 2.7.
"""

import pathlib

import pytest
from support import ROOT, interpreters
from support.environment import Environment
from support.process import clean_environment

DIST = ROOT / "dist"
PYTHONS_3 = [each for each in interpreters.found() if each.version[0] == 3]


def only(pattern):
    """The one file of dist/ of this kind."""
    (path,) = DIST.glob(pattern)
    return path


def assert_serves(server):
    """The hello application is answered, by a libev that is told."""
    answer = server.get("/hello")
    assert (answer.status, answer.body) == (200, b"Hello World!!")
    maps = pathlib.Path(f"/proc/{server.pid}/maps").read_text()
    return {line.split()[-1] for line in maps.splitlines() if "/libev" in line}


@pytest.mark.parametrize("base", PYTHONS_3, ids=lambda each: each.name)
def test_the_wheel(base, tmp_path, start_server):
    environment = Environment(base, tmp_path / "venv").create()
    env = clean_environment({"PATH": str(environment.folder / "bin")})
    environment.pip("install", "--no-index", only("*.whl"), env=env)
    (libev,) = assert_serves(start_server(environment, "hello.py"))
    assert environment.folder in pathlib.Path(libev).parents
    assert environment.extension.name == "_evwsgi.abi3.so"


def test_the_source_distribution_on_python_2(python2, tmp_path, start_server):
    environment = Environment(python2.interpreter, tmp_path / "venv").create()
    environment.pip("install", only("*.tar.gz"))
    assert_serves(start_server(environment, "hello.py"))


def test_the_wheel_has_a_tag_for_every_python_3():
    name = only("*.whl").name
    assert "-cp39-abi3-manylinux2014_" in name, name

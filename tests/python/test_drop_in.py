"""The core for Python 2.7 laid over an old installation: its Python files, our shared library.

The original is never built here: its `fapws` folder, as the package index has it, gets our file
beside its base.py, and serves.
"""

import json
import shutil

import pytest

#: The last Django that the original's handler was written for.
DJANGO = "Django==1.4.22"


@pytest.fixture
def site(pristine, python2, tmp_path):
    """A folder with the original's `fapws`, and in it our core in the place of its own."""
    folder = tmp_path / "site"
    uncompiled = shutil.ignore_patterns("*.c", "*.h")
    shutil.copytree(pristine / "fapws", folder / "fapws", ignore=uncompiled)
    assert not list(folder.rglob("*.so"))
    shutil.copy(python2.extension, folder / "fapws" / "_evwsgi.so")
    return folder


@pytest.fixture
def server(site, python2, start_server):
    """The program `drop_in.py`, served by that folder."""
    path = f"{site}:{python2.library(DJANGO)}"
    return start_server(python2, "drop_in.py", env={"PYTHONPATH": path})


def test_the_originals_classes_serve(server, site):
    report = json.loads(server.get("/report").body)
    assert report["package"].startswith(str(site))
    assert report["core"] == str(site / "fapws" / "_evwsgi.so")
    assert report["environ"] is True
    assert report["start_response"] is True
    # The original's Environ puts a buffer there; ours would not.
    assert report["errors"] == "StringO"


def test_hello_answers_as_the_original_does(server):
    answer = server.get("/cookie?by=hand")
    assert (answer.version, answer.status, answer.reason) == ("HTTP/1.0", 200, "OK")
    assert answer.body == b"Hello World!!"
    assert answer.header("Server") == "fapws3/0.11"
    assert answer.header("Set-Cookie") == "taste=sweet; Max-Age=3600; Path=/"
    assert answer.header("X-Made-By") == "hand"


def test_its_contrib_serves_a_file(server, site):
    answer = server.get("/static/base.py")
    assert answer.status == 200
    assert answer.body == (site / "fapws" / "base.py").read_bytes()


def test_the_same_program_runs_on_the_original_itself(pristine_built, start_server):
    # Else the tests above would hold our core to something the original does not do.
    library = pristine_built.library(DJANGO)
    server = start_server(pristine_built, "drop_in.py", env={"PYTHONPATH": str(library)})
    report = json.loads(server.get("/report").body)
    assert report["environ"] is True and report["start_response"] is True
    assert report["errors"] == "StringO"
    answer = server.get("/cookie?by=hand")
    assert answer.header("Set-Cookie") == "taste=sweet; Max-Age=3600; Path=/"
    assert answer.header("X-Made-By") == "hand"

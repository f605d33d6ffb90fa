"""The core for Python 2.7 laid over an old installation: its Python files, our shared library.

The original is never built here: its `fapws` folder, as the package index has it, gets our file
beside its base.py, and serves.
"""

import functools
import gzip
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
def serve_site(site, python2, start_server, tmp_path):
    """`serve_site(dialect)`: the program `drop_in.py`, served by that folder."""
    script = tmp_path / "script.cgi"
    script.write_text("#!/bin/sh\nprintf 'HTTP/1.1 200 OK\\nA: b\\n\\n'\ncat\n")
    script.chmod(0o755)
    env = {"PYTHONPATH": f"{site}:{python2.library(DJANGO)}", "SCRIPT": str(script)}
    return functools.partial(start_server, python2, "drop_in.py", env=env)


@pytest.fixture
def server(serve_site):
    """The same in the dialect that it has by default."""
    return serve_site()


@pytest.mark.long(7)
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


POST = b"POST /cgi HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 3\r\n\r\na=1"


def test_its_contrib_serves_the_rest(server):
    assert gzip.decompress(server.get("/zipped", "Accept-Encoding: gzip").body) == b"Hello World!!"
    assert server.get("/cgi").header("A").strip() == "b"
    assert server.request(POST).body == b"a=1"


def test_its_contrib_in_the_other_dialect(serve_site):
    """What docs/migration.md says of the old package under FAPWS_DIALECT=standard."""
    server = serve_site(dialect="standard")
    answer = server.get("/cookie?by=hand")
    assert (answer.version, answer.body) == ("HTTP/1.1", b"Hello World!!")
    assert answer.header("X-Made-By") == "hand" and answer.header("Set-Cookie")
    assert gzip.decompress(server.get("/zipped", "Accept-Encoding: gzip").body) == b"Hello World!!"
    assert server.get("/cgi").header("A").strip() == "b"
    # Numbers among the headers; and a length that is no number is a number there.
    assert server.get("/static/base.py").status == 500
    assert server.request(POST).status == 500
    assert server.stderr.count("TypeError") == 2


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

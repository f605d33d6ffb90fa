"""Bottle's adapter, `bottle.run(server="fapws3")`, as it stands in the last release that has one.

Bottle 0.13 has the adapter too, but calls its own `depr` with an argument too few in it, whatever
server is installed.
"""

import json
import pathlib

import pytest
from program import Program

PROGRAM = pathlib.Path(__file__).with_name("bottle_program.py")

# Bottle 0.12 imports cgi, which Python 3.13 has no more.
BOTTLE = ["bottle==0.12.25", "legacy-cgi; python_version >= '3.13'"]

FORM = (
    b'--edge\r\nContent-Disposition: form-data; name="word"\r\n\r\nhello\r\n'
    b'--edge\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    + b"x" * 200000
    + b"\r\n--edge--\r\n"
)


@pytest.fixture
def bottle(interpreter, dialect, start_process):
    command = [interpreter.python, PROGRAM, "0"]
    return start_process(Program, command, dialect=dialect, library=interpreter.library(*BOTTLE))


def test_bottle_serves(bottle):
    greeting = bottle.get("/greet/%C3%A9t%C3%A9?a=b+c")
    assert greeting.header("Content-Type") == "application/json"
    assert json.loads(greeting.body) == {"name": "été", "query": "b c"}
    upload = bottle.post("/upload", FORM, "Content-Type: multipart/form-data; boundary=edge")
    assert upload.body == b"200000 bytes, hello"
    assert upload.header("Set-Cookie") == "seen=yes"
    assert bottle.get("/pieces").body == b"one, two"
    assert bottle.get("/file").body == PROGRAM.read_bytes()
    assert bottle.send("HEAD", "/file").header("Content-Length") == str(PROGRAM.stat().st_size)
    assert bottle.get("/absent").status == 404

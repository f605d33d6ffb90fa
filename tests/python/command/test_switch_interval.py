"""`--threads`: the interpreter's lock is passed on often, unless the application chooses."""

import pytest
from command import write

pytestmark = pytest.mark.each_major

APP = """
    import sys
    LOADED = sys.getswitchinterval()
    {choice}

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [repr((LOADED, sys.getswitchinterval())).encode("ascii")]
"""


@pytest.mark.parametrize(
    ("arguments", "choice", "seen"),
    [
        ([], "", b"(0.005, 0.005)"),
        (["--threads", 4], "", b"(0.001, 0.001)"),
        (["--threads", 4, "--preload"], "", b"(0.001, 0.001)"),
        (["--threads", 4], "sys.setswitchinterval(0.02)", b"(0.001, 0.02)"),
    ],
)
def test_what_an_application_sees(interpreter, run_command, home, arguments, choice, seen):
    if interpreter.version[0] < 3:
        pytest.skip("threads need Python 3")
    write(home, hello=APP.format(choice=choice))
    assert run_command("hello:app", *arguments).get("/").body == seen

"""`wsgi.multiprocess`: true where other processes serve the same application."""

import pytest
from command import write

pytestmark = pytest.mark.wire

SHOWS = """
    def app(environ, start_response):
        start_response("200 OK", [])
        return [str(environ["wsgi.multiprocess"]).encode("ascii")]
"""

@pytest.mark.parametrize("workers, expected", [(1, b"False"), (2, b"True")])
def test_workers(run_command, home, workers, expected):
    write(home, shows=SHOWS)
    assert run_command("shows:app", "--workers", workers).get("/").body == expected


def test_a_file_may_say_otherwise(run_command, home):
    write(home, shows=SHOWS)
    (home / "conf.py").write_text("multiprocess = True\n")
    assert run_command("shows:app", "--config", "conf.py").get("/").body == b"True"

"""What the README tells a newcomer to type does what it says."""

import re
import shutil
import socket

import pytest
from rig import ROOT
from rig.client import Client
from rig.environment import copy_of_sources
from rig.process import wait_until
from rig.server import Listening

README = (ROOT / "README.md").read_text()


class Typed(Listening):
    """A command that will serve on `port` of this machine, after whatever it does first."""

    def __init__(self, command, port, folder, cwd=None):
        super().__init__(command, folder, cwd=cwd)
        self.address = ("127.0.0.1", port)

    def start(self):
        """Run the command and wait until it serves; returns self."""
        super().start()
        wait_until(self._answers, f"{self.command} to serve", patience=600)
        return self

    def _answers(self):
        assert self.alive, self._transcript()
        try:
            Client(self.address).close()
        except ConnectionRefusedError:
            return False
        return True


def free_port():
    """A port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def test_the_program(interpreter, start_process):
    blocks = re.findall(r"(?:^    .*\n|^\n)+", README, re.M)
    (program,) = [block for block in blocks if "import fapws._evwsgi" in block]
    port = free_port()
    text = re.sub("^    ", "", program, flags=re.M).strip()
    assert '"0.0.0.0", "8080"' in text
    text = text.replace('"0.0.0.0", "8080"', f'"127.0.0.1", "{port}"')
    server = start_process(Typed, [interpreter.python, "-c", text], port)
    assert server.get("/hello").body == b"Hello World!!"


@pytest.mark.skipif(not shutil.which("make"), reason="no make on this machine")
def test_make_serve(python3, tmp_path, start_process):
    assert "    make serve\n" in README and "curl http://127.0.0.1:8080/hello" in README
    source = copy_of_sources(tmp_path / "clone")
    port = free_port()
    command = ["make", "serve", f"PYTHON={python3.interpreter.executable}", f"PORT={port}"]
    server = start_process(Typed, command, port, cwd=source)
    assert b"Hello" in server.get("/hello").body
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        Client(server.address)

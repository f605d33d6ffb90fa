"""Other projects' servers, with ours plugged in."""

from support.process import wait_until
from support.server import Listening


class Foreign(Listening):
    """A program of somebody else's that serves on `port`."""

    def __init__(self, command, port, folder, home, library):
        super().__init__(command, folder, {"PYTHONPATH": str(library)}, cwd=home)
        self.address = ("127.0.0.1", port)

    def start(self):
        """Run it and wait until it serves; returns self."""
        super().start()

        def serves():
            assert self.alive, self._transcript()
            try:
                return self.get("/").status
            except (OSError, AssertionError):
                return False

        wait_until(serves, f"{self.command} to serve")
        return self

"""Servers under test: any program that serves HTTP, and one that serves an app of tests/apps."""

import json
import pathlib
import signal

from . import APPS
from .client import Client
from .process import Process, wait_until

LAUNCH = pathlib.Path(__file__).with_name("launch.py")


class Listening(Process):
    """A `Process` that serves HTTP; `address` is where, once `start` has returned.

    `address` is (host, port), or the path of a unix socket; a class that derives from this sets it.
    """

    address = None
    may_fork = True

    def stop(self, number=signal.SIGTERM):
        """As `Process.stop`, once the program is in `run`: before it, a signal ends any program."""
        if number in (signal.SIGTERM, signal.SIGINT):
            wait_until(
                lambda: self.catches(signal.SIGTERM) or not self.alive, f"{self.command} to serve"
            )
        return super().stop(number)

    def connect(self):
        """A new connection to the server, as a `Client`."""
        return Client(self.address)

    def accepts(self):
        """Whether a new connection comes about, which is closed at once."""
        try:
            self.connect().close()
        except ConnectionError:
            return False
        return True

    def exchange(self, *pieces):
        """Send the pieces on a new connection; returns every byte of the answer, to its end."""
        with self.connect() as client:
            client.send(*pieces)
            return client.read_to_end()

    def request(self, raw, method="GET"):
        """Send one raw request on a new connection; returns its `Response`."""
        with self.connect() as client:
            client.send(raw)
            return client.response(method)

    def get(self, target="/", *headers):
        """GET `target`, with more header lines as text, on a new connection."""
        lines = [f"GET {target} HTTP/1.1", "Host: test", "Connection: close", *headers, "", ""]
        return self.request("\r\n".join(lines).encode("latin-1"))


class Server(Listening):
    """The application `app` on the package of `environment`.

    `app` is a file of tests/apps, or a path; `dialect` sets FAPWS_DIALECT; `config` holds
    attributes of `fapws.config`. By default it listens on a free port of 127.0.0.1.
    """

    def __init__(
        self,
        environment,
        app,
        folder,
        dialect=None,
        config=None,
        host="127.0.0.1",
        port="0",
        env=None,
    ):
        folder = pathlib.Path(folder)
        self.environment = environment
        self.ready = folder / "ready.json"
        command = [environment.python, LAUNCH, APPS / app, self.ready]
        command += ["--host", host, "--port", port, "--config", json.dumps(config or {})]
        env = dict(env or {})
        if dialect:
            env["FAPWS_DIALECT"] = dialect
        super().__init__(command, folder, env)

    def start(self):
        """Run the server and wait until it listens; returns self."""
        super().start()
        wait_until(lambda: self.ready.exists() or not self.alive, f"{self.command} to listen")
        if not self.ready.exists():
            raise AssertionError(f"did not start: {self.command}\n{self._transcript()}")
        address = json.loads(self.ready.read_text())
        self.address = tuple(address) if isinstance(address, list) else address
        return self

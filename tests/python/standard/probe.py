"""The probe: a server of tests/apps/standard and a client that lets nothing pass.

`Probe` adds the journal to `support.server`: what the application saw, recorded by itself. `Peer`
is stricter than its client, as a reset or loose framing is what these tests look for, and
reads answers of any size in linear time.
"""

import contextlib
import json
import re
import socket
import time

from support import PATIENCE
from support.client import Client, ProtocolError
from support.server import Server
from standard.message import request

CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,16}\Z")


class Peer(Client):
    """A client for which a reset is an error, and a chunk's framing is to the letter."""

    def __init__(self, address, receive_buffer=None):
        super().__init__(address)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)

    def _receive(self):
        data = self.socket.recv(1 << 16)
        self._read += data
        return len(data)

    def is_answered(self):
        """Whether another byte comes before the end; waits for either."""
        return not self.at_end()

    def read_exactly(self, length):
        """The next `length` bytes."""
        pieces, missing = [self._read], length - len(self._read)
        while missing > 0:
            data = self.socket.recv(min(1 << 20, missing + (1 << 16)))
            if not data:
                raise ProtocolError(f"closed {missing} bytes early: {b''.join(pieces)[-200:]!r}")
            pieces.append(data)
            missing -= len(data)
        whole = b"".join(pieces)
        self._read = whole[length:]
        return whole[:length]

    def read_to_end(self):
        """Every byte until the server closes; a reset raises."""
        pieces, self._read = [self._read], b""
        while data := self.socket.recv(1 << 20):
            pieces.append(data)
        return b"".join(pieces)

    def _read_chunks(self):
        chunks = []
        while True:
            line = self.read_until(b"\r\n")[:-2]
            if not CHUNK_SIZE.match(line):
                raise ProtocolError(f"no chunk size: {line!r}")
            data = self.read_exactly(int(line, 16))
            if self.read_exactly(2) != b"\r\n":
                raise ProtocolError("a chunk does not end in CRLF")
            if not data:
                return chunks
            chunks.append(data)


def framing(answer):
    """How the answer says its end: `length`, `chunked`, `close`, and never two ways."""
    length, coding = answer.header("Content-Length"), answer.header("Transfer-Encoding")
    assert length is None or coding is None, answer
    if length is not None:
        return "length"
    return "close" if coding is None else coding


class Probe(Server):
    """A server of one of tests/apps/standard in the standard dialect."""

    def __init__(self, environment, app, folder, dialect="standard", **settings):
        super().__init__(environment, f"standard/{app}", folder, dialect=dialect, **settings)

    def connect(self, receive_buffer=None):
        """A new connection; `receive_buffer` in bytes makes it a reader of small gulps."""
        return Peer(self.address, receive_buffer)

    def journal(self, name):
        """The events that the application recorded under `name`."""
        answer = self.request(request(f"/journal?{name}"))
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def eventually(self, name, condition):
        """The journal of `name` as soon as `condition` holds of it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            events = self.journal(name)
            if condition(events):
                return events
            assert time.monotonic() < deadline, f"journal of {name}: {events}"
            time.sleep(0.01)


@contextlib.contextmanager
def shared(interpreter, app, tmp_path_factory, **settings):
    """A probe that several tests use; it ends in order behind the last of them."""
    folder = tmp_path_factory.mktemp(f"{app.partition('.')[0]}-{interpreter.name}")
    server = Probe(interpreter, app, folder, **settings).start()
    try:
        yield server
        server.stop().check()
    finally:
        if server.alive:
            server.kill()

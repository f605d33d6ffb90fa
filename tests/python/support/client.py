"""A raw-socket HTTP client: sends the bytes it is given, reads answers strictly.

It adds nothing to a request and mends nothing in an answer: what is not HTTP is a `ProtocolError`.
Every wait is bounded by `PATIENCE`.
"""

import socket
import struct
import time
from dataclasses import dataclass, field

from . import PATIENCE

#: Where `tcpi_segs_in` stands in the kernel's `struct tcp_info`, in bytes.
SEGMENTS_IN = 140

#: Statuses without a body, whatever the headers say (RFC 9112 section 6.3).
BODYLESS = frozenset([204, 304])


class ProtocolError(AssertionError):
    """The server's answer is no HTTP."""


@dataclass(frozen=True)
class Response:
    """One answer; `head` is its bytes up to and including the blank line."""

    head: bytes
    version: str
    status: int
    reason: str
    headers: list
    body: bytes
    #: The chunks of a chunked body, in order, without the last; None for any other body.
    chunks: list = field(default=None)

    def header(self, name, default=None):
        """The value of the only header of this name, or `default`; repeated ones are a failure."""
        values = self.every_header(name)
        assert len(values) <= 1, f"{name} is repeated: {values}"
        return values[0] if values else default

    def every_header(self, name):
        """The values of all headers of this name, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


class Client:
    """One connection to `address`: (host, port), or the path of a unix socket."""

    def __init__(self, address, patience=PATIENCE):
        if isinstance(address, (str, bytes)):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(patience)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout=patience)
            # Pieces are to arrive as they are sent.
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def own_address(self):
        """This end of the connection: what the server should see as the peer."""
        return self.socket.getsockname()

    def send(self, *pieces, pause=0.0):
        """Send each piece in a write of its own, `pause` seconds apart."""
        for number, piece in enumerate(pieces):
            if number and pause:
                time.sleep(pause)
            self.socket.sendall(piece)

    def segments_received(self):
        """TCP segments that the server sent so far; Linux only."""
        about = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, SEGMENTS_IN + 4)
        return struct.unpack_from("I", about, SEGMENTS_IN)[0]

    def half_close(self):
        """Say that nothing more will be sent; answers can still be read."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        """Close the connection in order."""
        self.socket.close()

    def reset(self):
        """Break the connection with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def read_to_end(self):
        """Every byte until the server closes; a reset counts as the end."""
        while self._receive():
            pass
        data, self._read = self._read, b""
        return data

    def read_exactly(self, length):
        """The next `length` bytes."""
        while len(self._read) < length:
            if not self._receive():
                missing = length - len(self._read)
                raise ProtocolError(f"closed {missing} bytes early: {self._read!r}")
        data, self._read = self._read[:length], self._read[length:]
        return data

    def read_until(self, mark):
        """The next bytes up to and including `mark`."""
        while mark not in self._read:
            if not self._receive():
                raise ProtocolError(f"closed before {mark!r}: {self._read!r}")
        data, rest = self._read.split(mark, 1)
        self._read = rest
        return data + mark

    def at_end(self):
        """Whether the server closes without another byte; waits for either."""
        return not self._read and not self._receive()

    def response(self, method="GET"):
        """Read the answer to a request of this method; an interim one (1xx) counts as one."""
        head = self.read_until(b"\r\n\r\n")
        version, status, reason, headers = parse_head(head)
        framing = {key.lower(): value for key, value in headers}
        chunks = None
        if method == "HEAD" or status < 200 or status in BODYLESS:
            body = b""
        elif framing.get("transfer-encoding", "").lower() == "chunked":
            chunks = self._read_chunks()
            body = b"".join(chunks)
        elif "content-length" in framing:
            body = self.read_exactly(int(framing["content-length"]))
        else:
            body = self.read_to_end()
        return Response(head, version, status, reason, headers, body, chunks)

    def _read_chunks(self):
        chunks = []
        while True:
            line = self.read_until(b"\r\n")
            size = int(line.split(b";")[0], 16)
            if size == 0:
                break
            chunks.append(self.read_exactly(size))
            if self.read_exactly(2) != b"\r\n":
                raise ProtocolError("a chunk does not end in CRLF")
        while self.read_until(b"\r\n") != b"\r\n":
            pass  # a trailer
        return chunks

    def _receive(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self._read += data
        return len(data)


def parse_head(head):
    """Version, status, reason and headers (a list of pairs of text) of a response's head."""
    line, *rest = head[:-4].decode("latin-1").split("\r\n")
    version, _, status_and_reason = line.partition(" ")
    status, _, reason = status_and_reason.partition(" ")
    if not version.startswith("HTTP/") or not status.isdigit() or len(status) != 3:
        raise ProtocolError(f"no status line: {line!r}")
    headers = []
    for each in rest:
        name, colon, value = each.partition(":")
        if not colon or not name or name != name.strip():
            raise ProtocolError(f"no header line: {each!r}")
        headers.append((name, value.strip(" \t")))
    return version, int(status), reason, headers

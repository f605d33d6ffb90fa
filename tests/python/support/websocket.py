"""A WebSocket client (RFC 6455) on the raw-socket one: messages, pings, the closing handshake."""

import base64
import hashlib
import os
import struct

from .client import parse_head

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

#: What Flask's applications with WebSockets need: what is installed once serves several tests.
FLASK_WITH_SOCKETS = [
    "flask==3.1.2",
    "flask-sock==0.7.0",
    "flask-socketio==5.7.0",
    "simple-websocket==1.1.0",
]

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class WebSocket:
    """The connection `client`, upgraded at `target`; `behind` goes with the handshake."""

    def __init__(self, client, target, behind=b""):
        self.client = client
        key = base64.b64encode(os.urandom(16))
        lines = [f"GET {target} HTTP/1.1", "Host: localhost", "Connection: keep-alive, Upgrade"]
        lines += ["Upgrade: websocket", "Sec-WebSocket-Version: 13"]
        lines += [f"Sec-WebSocket-Key: {key.decode()}", "", ""]
        client.send("\r\n".join(lines).encode() + behind)
        _, status, _, headers = parse_head(client.read_until(b"\r\n\r\n"))
        assert status == 101, status
        accept = {name.lower(): value for name, value in headers}["sec-websocket-accept"]
        assert accept == base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()

    def send(self, text):
        """Send a text message."""
        self.client.send(frame(TEXT, text.encode()))

    def receive(self):
        """The next text message; None when the server closes. Pings are answered."""
        while True:
            opcode, payload = self._receive_frame()
            if opcode == PING:
                self.client.send(frame(PONG, payload))
            elif opcode == CLOSE:
                return None
            else:
                assert opcode == TEXT, (opcode, payload)
                return payload.decode()

    def close(self):
        """The closing handshake, and the connection's end, which is the server's to begin."""
        self.client.send(frame(CLOSE, struct.pack("!H", 1000)))
        while self.receive() is not None:
            pass
        assert self.client.at_end()
        self.client.close()

    def _receive_frame(self):
        first, length = self.client.read_exactly(2)
        assert first & 0x80 and not length & 0x80, (first, length)
        if length == 126:
            (length,) = struct.unpack("!H", self.client.read_exactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self.client.read_exactly(8))
        return first & 0x0F, self.client.read_exactly(length)


def frame(opcode, payload):
    """A frame of a client, which is masked."""
    assert len(payload) < 126
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + masked

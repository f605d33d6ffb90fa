"""One exchange of raw bytes, and how its connection ended.

Owns: sending in pieces, with or without a half-close, to a server that may crash under it.
Does not own: reading an answer as HTTP (support.client).
Invariant: no exchange fails; a silent or dead server is an ending like any other.
"""

from dataclasses import dataclass

from support import PATIENCE
from support.client import Client

CLOSED, RESET, SILENT, REFUSED = "closed", "reset", "silent", "refused"


@dataclass(frozen=True)
class Exchange:
    """The bytes that came, how the connection ended, and the client's own port."""

    data: bytes
    ending: str
    client_port: int = 0


def exchange(address, pieces, half_close=False, patience=PATIENCE, between=None):
    """Send the pieces, calling between() before every one but the first; read to the end."""
    try:
        client = Client(address, patience)
    except OSError:
        return Exchange(b"", REFUSED)
    with client:
        port = client.own_address[1]
        try:
            for number, piece in enumerate(pieces):
                if number and between:
                    between()
                client.send(piece)
            if half_close:
                client.half_close()
        except ConnectionError:
            pass  # what the server said before it closed can still be read
        except TimeoutError:
            return Exchange(b"", SILENT, port)
        return Exchange(*_to_the_end(client.socket), port)


def _to_the_end(sock):
    received = bytearray()
    while True:
        try:
            data = sock.recv(65536)
        except ConnectionError:
            return bytes(received), RESET
        except TimeoutError:
            return bytes(received), SILENT
        if not data:
            return bytes(received), CLOSED
        received += data

"""`werkzeug.socket`: the socket of a request with `Upgrade`, of Python 3."""

import socket
from collections.abc import Callable, Iterable
from typing import Any

from _typeshed import WriteableBuffer

METHODS: frozenset[str]

class ClientSocket(socket.socket):
    """A connection that an application has taken over."""

    def recv(self, bufsize: int, flags: int = 0) -> bytes: ...
    def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, Any]: ...
    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Any]: ...
    def recvmsg_into(
        self, buffers: Iterable[WriteableBuffer], ancbufsize: int = 0, flags: int = 0
    ) -> tuple[int, list[tuple[int, int, bytes]], int, Any]: ...

class OfferedSocket(ClientSocket):
    """A connection that an application may take over; to look at it does not."""

def offer(take: Callable[[OfferedSocket], tuple[int, bytes]]) -> OfferedSocket: ...

"""`werkzeug.socket`: the socket of a request with `Upgrade`, for applications that speak another
protocol on it. `simple-websocket` uses it, and so do Flask-Sock and Flask-SocketIO.

The environ has a placeholder. The first access to a method of a socket takes the connection over:
it leaves the server, and the placeholder is a blocking socket from then on. `recv` and its variants
first return what the server had received after the request; `select` sees only what comes later.
When the application returns, the server shuts the connection down, a moment later if this object
is still referenced.

Python 3 only.
"""

import socket
import threading

#: A look at one of these takes the connection over: the names of a socket's methods.
METHODS = frozenset(
    name for name in dir(socket.socket) if name[0] != "_" and callable(getattr(socket.socket, name))
)


class ClientSocket(socket.socket):
    """A connection that an application has taken over."""

    __slots__ = ("_behind", "_lock", "_take")

    def __init__(self, *arguments, **keywords):
        self._behind = b""
        super(ClientSocket, self).__init__(*arguments, **keywords)

    def recv(self, bufsize, flags=0):
        """As of any socket."""
        if not self._behind or bufsize <= 0:
            return super(ClientSocket, self).recv(bufsize, flags)
        given = self._behind[:bufsize]
        missing = bufsize - len(given)
        if flags & socket.MSG_WAITALL and missing:
            given += super(ClientSocket, self).recv(missing, flags)
        if not flags & socket.MSG_PEEK:
            self._behind = self._behind[bufsize:]
        return given

    def recv_into(self, buffer, nbytes=0, flags=0):
        """As of any socket."""
        if not self._behind:
            return super(ClientSocket, self).recv_into(buffer, nbytes, flags)
        view = memoryview(buffer).cast("B")
        given = self.recv(nbytes or len(view), flags)
        view[: len(given)] = given
        return len(given)

    def recvfrom(self, bufsize, flags=0):
        """As of any socket."""
        if not self._behind:
            return super(ClientSocket, self).recvfrom(bufsize, flags)
        return self.recv(bufsize, flags), None

    def recvfrom_into(self, buffer, nbytes=0, flags=0):
        """As of any socket."""
        if not self._behind:
            return super(ClientSocket, self).recvfrom_into(buffer, nbytes, flags)
        return self.recv_into(buffer, nbytes, flags), None

    def recvmsg(self, bufsize, ancbufsize=0, flags=0):
        """As of any socket."""
        if not self._behind:
            return super(ClientSocket, self).recvmsg(bufsize, ancbufsize, flags)
        return self.recv(bufsize, flags), [], 0, None

    def recvmsg_into(self, buffers, ancbufsize=0, flags=0):
        """As of any socket."""
        if not self._behind:
            return super(ClientSocket, self).recvmsg_into(buffers, ancbufsize, flags)
        count = 0
        for buffer in buffers:
            if not self._behind:
                break
            count += self.recv_into(buffer, 0, flags)
        return count, [], 0, None


class OfferedSocket(ClientSocket):
    """A connection that an application may take over; to look at it does not."""

    __slots__ = ()

    def __getattribute__(self, name):
        if name in METHODS:
            _take_over(self)
            return getattr(self, name)
        return object.__getattribute__(self, name)

    def __repr__(self):
        return "<fapws.client_socket.OfferedSocket: not taken over>"


def offer(take):
    """The value of `werkzeug.socket`. `take(socket)` is the core's: it gives the descriptor and
    what was received behind the request, or raises OSError.
    """
    offered = OfferedSocket.__new__(OfferedSocket)
    offered._behind = b""
    offered._io_refs, offered._closed = 0, False
    offered._lock, offered._take = threading.Lock(), take
    return offered


def _take_over(offered):
    with offered._lock:
        # Another thread may have been first.
        if type(offered) is OfferedSocket:
            descriptor, behind = offered._take(offered)
            ClientSocket.__init__(offered, fileno=descriptor)
            socket.socket.setblocking(offered, True)
            offered._behind, offered._take = behind, None
            offered.__class__ = ClientSocket

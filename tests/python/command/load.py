"""Clients that send requests on end, and count what they lose."""

import concurrent.futures
import contextlib
import threading

from command import served_by
from support.client import Client

REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


class Load:
    """Clients that send requests on end, each waiting for a response; `lost` is what went wrong.

    A persistent connection may end between two requests, and a request may cross that end on its
    way: where not a byte came back on a connection that had had a response before, a client sends
    it once more (RFC 9112 section 9.3.1). Everything else that is not a 200 is lost.
    """

    def __init__(self, address, keep_alive):
        self.address = address
        self.keep_alive = keep_alive
        self.answered = 0
        self.lost = []
        self.served_by = set()
        self.stop = threading.Event()

    def client(self):
        """Send until `stop` is set."""
        while not self.stop.is_set():
            self._connection()

    def _connection(self):
        with Client(self.address) as client:
            responses = 0
            while not self.stop.is_set():
                try:
                    client.send(REQUEST)
                    if not client._read and not client._receive():
                        if not responses:
                            self.lost.append("closed before the first response")
                        return
                    response = client.response()
                    self.served_by.add(served_by(response)[0])
                except OSError as error:
                    if not responses or not isinstance(error, (BrokenPipeError, ConnectionError)):
                        self.lost.append(repr(error))
                    return
                except AssertionError as error:
                    self.lost.append(repr(error))
                    return
                responses += 1
                self.answered += 1
                if not self.keep_alive or response.header("Connection") == "close":
                    return


@contextlib.contextmanager
def under_load(address, keep_alive, clients=4):
    """Run clients meanwhile; the Load. At its end no request may be lost."""
    load = Load(address, keep_alive)
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        running = [pool.submit(load.client) for _ in range(clients)]
        try:
            yield load
        finally:
            load.stop.set()
        for each in running:
            each.result()
    assert load.lost == []

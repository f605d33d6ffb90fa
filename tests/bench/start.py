"""How long a server takes from the start of its process to its first response."""

import socket
import time

import servers

PATIENCE = 20
#: Between two attempts to connect, in seconds.
PAUSE = 0.0005


def first_response_ms(process, scenario):
    """Spawn the server and wait for its first response; milliseconds. It is stopped again.

    Raises `servers.StartError` where none comes in time.
    """
    begun = time.perf_counter()
    process.spawn()
    try:
        while not _responds(process.port, scenario):
            if not process.alive or time.perf_counter() - begun > PATIENCE:
                raise servers.StartError("no response")
            time.sleep(PAUSE)
        return (time.perf_counter() - begun) * 1e3
    finally:
        process.stop()


def _responds(port, scenario):
    try:
        with socket.create_connection((servers.HOST, port), timeout=PATIENCE) as connection:
            connection.sendall(scenario.request)
            received = b""
            while scenario.expected not in received:
                piece = connection.recv(4096)
                if not piece:
                    return False
                received += piece
            return True
    except OSError:
        return False

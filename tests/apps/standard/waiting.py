"""Applications that wait until their client says that it has what they wait for.

The client makes a file; its path is what a request names. None waits longer than fifty seconds.
"""
import os
import time

PLAIN = [("Content-Type", "text/plain")]
PATIENCE = 50


def seen(flag):
    """Whether the client makes the file `flag` in time."""
    deadline = time.time() + PATIENCE
    while time.time() < deadline:
        if os.path.exists(flag):
            return True
        time.sleep(0.001)
    return False


def hello(environ, start_response):
    """At once."""
    start_response("200 OK", PLAIN)
    return [b"hello"]

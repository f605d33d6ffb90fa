"""Large answers of each kind, for clients that take them slowly.

`/list`, `/file`, `/generator` and `/string` are SIZE bytes each; the generator reports how many
items it was asked for, and its end. `/small` is small. The kernel's send buffer is kept small, or
it would take such an answer whole and no client would be slow.
"""
import socket
import tempfile

import fapws._evwsgi as evwsgi
from fapws import base

from channel import listen, report

SIZE = 1024 * 1024
ITEM = 4096
SEND_BUFFER = 64 * 1024
CONTENT = b"".join(b"%07d\n" % number for number in range(SIZE // 8))


class Items(object):
    """An iterator that can be watched."""

    def __init__(self):
        self.position = 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.position == SIZE:
            raise StopIteration
        start, self.position = self.position, self.position + ITEM
        report("item", position=start)
        return CONTENT[start:start + ITEM]

    next = __next__

    def close(self):
        report("close", position=self.position)


def stored():
    """A file that holds the content."""
    result = tempfile.TemporaryFile()
    result.write(CONTENT)
    result.seek(0)
    return result


MAKE = {
    "list": lambda: [CONTENT],
    "file": stored,
    "generator": Items,
    "string": lambda: CONTENT,
    "small": lambda: [b"small"],
}


def application(environ, start_response):
    """The answer by its name."""
    return MAKE[environ["PATH_INFO"]]()


listen(evwsgi)
listener = socket.fromfd(int(evwsgi.socket_fd()), socket.AF_INET, socket.SOCK_STREAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)  # connections inherit it
listener.close()
evwsgi.set_base_module(base)
evwsgi.wsgi_cb(("/", application))
evwsgi.run()

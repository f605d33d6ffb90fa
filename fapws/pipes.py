"""Pipes whose ends do not block, and that programs which are started do not inherit."""

import errno
import fcntl
import os


def pipe():
    """A pipe whose ends do not block; the programs that the application runs do not see it."""
    ends = os.pipe()
    for descriptor in ends:
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    close_on_exec(*ends)
    return ends


def close_on_exec(*descriptors):
    """Have programs that are started not inherit them."""
    for descriptor in descriptors:
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
        fcntl.fcntl(descriptor, fcntl.F_SETFD, flags | fcntl.FD_CLOEXEC)


def drain(descriptor):
    """Read what there is, and drop it."""
    try:
        while os.read(descriptor, 4096):
            pass
    except OSError as error:
        if error.errno != errno.EAGAIN:
            raise

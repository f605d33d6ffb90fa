"""The template: the process that loads the application for `--preload`, and forks the workers.

Owns what happens between its fork and its end. Each generation has one. The master never holds the
application, so that a reload finds all of it new; the workers share the template's memory until
they write to it.

A worker is the template's grandchild: the process between the two ends at once, so that the system
gives the worker to the master (see `adopt_orphans`), which watches it as if it had forked it. It
lives on when the template dies.
"""

import errno
import gc
import os
import signal
import sys
import threading
import time

from fapws.link import FORKED, LOADED, NOT_FORKED

#: prctl(2): orphans of this process's tree become its children.
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """Make the descendants of this process its own children when their parents end; whether the
    system can do that (Linux).
    """
    if not sys.platform.startswith("linux"):
        return False
    if os.getpid() == 1:
        return True
    try:
        import ctypes

        return ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    except (ImportError, OSError, AttributeError):
        return False


def run(link, log, load):
    """Load the application, then fork workers until the master ends; `link` is a `link.Link`.

    Returns its Link and the application in each worker; None in the template, at its end. What
    `load` raises is the caller's.
    """
    # A Ctrl-C is the master's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    application = load()
    _name_lost_threads(log)
    gc.collect()
    if hasattr(gc, "freeze"):
        # What the collector writes into objects would have to be copied for each worker.
        gc.freeze()
    link.report(LOADED)
    partial = b""
    while True:
        read = _read(link.orders)
        if not read:
            return None
        orders = (partial + read).split(b"\n")
        partial = orders.pop()
        for order in orders:
            slot, age = map(int, order.split())
            if _fork(link, slot, age):
                os.close(link.orders)
                return link.for_worker(None if slot < 0 else slot, age), application


def _fork(link, slot, age):
    """Fork a worker; whether this process is it."""
    template = os.getpid()
    try:
        between = os.fork()
    except OSError as error:
        link.report(NOT_FORKED, template, slot, age, error.errno)
        return False
    if between:
        if _wait(between) != 0:
            link.report(NOT_FORKED, template, slot, age, errno.ECHILD)
        return False
    between = os.getpid()
    try:
        worker = os.fork()
    except OSError as error:
        link.report(NOT_FORKED, template, slot, age, error.errno)
        os._exit(0)
    if worker:
        # Before the worker can report anything itself: it waits for this process's end.
        link.report(FORKED, template, slot, age, worker)
        os._exit(0)
    while os.getppid() == between:
        time.sleep(0.001)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return True


def _wait(pid):
    while True:
        try:
            return os.waitpid(pid, 0)[1]
        except OSError as error:
            if error.errno != errno.EINTR:
                return 0


def _read(descriptor):
    while True:
        try:
            return os.read(descriptor, 4096)
        except OSError as error:
            if error.errno != errno.EINTR:
                raise


def _name_lost_threads(log):
    main = threading.current_thread()
    lost = sorted(thread.name for thread in threading.enumerate() if thread is not main)
    if lost:
        log.warning(
            "threads that the application started when it was loaded are not in the workers "
            "(--preload); start them in post_fork: %s" % ", ".join(lost))

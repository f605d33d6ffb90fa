"""From one master to the next, of other code or another interpreter, without a gap: SIGUSR2.

Owns what a master hands its successor, and how it learns that the successor serves. The successor
is the same command line run anew; it finds the listening sockets in a variable of its environment.
Until all of its workers serve, sockets' files and the file with the process id remain the old
master's.
"""

import errno
import fcntl
import os
import sys

from fapws import process
from fapws.pipes import close_on_exec

#: Where the successor finds what it is handed.
VARIABLE = "FAPWS_UPGRADE"


class Successor(object):
    """The new master, as the old one sees it. descriptor: readable when it serves, or has ended."""

    def __init__(self, pid, descriptor):
        self.pid = pid
        self.descriptor = descriptor
        self.ready = False

    def read_ready(self):
        """Whether it reports that it serves; its end is no report."""
        try:
            self.ready = os.read(self.descriptor, 1) != b""
        except OSError as error:
            if error.errno not in (errno.EINTR, errno.EAGAIN):
                raise
        return self.ready

    def close(self):
        """Forget it."""
        os.close(self.descriptor)


class Upgrades(object):
    """The upgrades of a master, one at a time.

    server: as fapws/master.py has it. notify: a function for a state of sd_notify(3).
    """

    def __init__(self, server, notify):
        self._server = server
        self._log = server.log
        self._notify = notify
        self._successor = None

    def begin(self):
        """Start a successor, unless there is one."""
        if self._successor:
            self._log("no upgrade: process %d is one already" % self._successor.pid)
            return
        try:
            self._successor = self._server.upgrade()
        except (ValueError, EnvironmentError) as error:
            self._log.error("no upgrade: %s" % process.reason(error))
            return
        self._log("upgrade: process %d is starting" % self._successor.pid)

    def descriptors(self):
        """What to wait for: a list of at most one descriptor."""
        awaited = self._successor and not self._successor.ready
        return [self._successor.descriptor] if awaited else []

    def read(self):
        """The descriptor is readable: hand over to a successor that serves."""
        if not self._successor.read_ready():
            return
        pid = self._successor.pid
        self._server.handed_over(pid)
        self._notify("MAINPID=%d" % pid)
        self._log("upgrade: process %d serves; SIGTERM or SIGQUIT ends this one" % pid)

    def is_successor(self, pid):
        """Whether it is the successor's process id."""
        return self._successor is not None and self._successor.pid == pid

    def ended(self, status, goes_on):
        """The successor has ended, with a status of waitpid(2). goes_on: this master stays."""
        ended, self._successor = self._successor, None
        ended.close()
        if ended.ready:
            self._server.taken_back()
            self._notify("MAINPID=%d" % os.getpid())
        if goes_on:
            self._log.warning("upgrade: process %d ended (%s): this master continues" % (
                ended.pid, process.how_ended(status)))

    def close(self):
        """Forget the successor, in a child."""
        if self._successor:
            self._successor.close()


class Inheritance(object):
    """What this process, a successor, was handed. listeners: a list of (bind, shown, descriptor,
    name, port, path). from_pid: its predecessor's number.
    """

    def __init__(self, text):
        import json

        handed = json.loads(text)
        self.listeners = [
            # Python 2 reads every string as unicode.
            [str(part) if isinstance(part, type(u"")) else part for part in each]
            for each in handed["listeners"]
        ]
        self.from_pid = handed["pid"]
        self._ready = handed["ready"]
        close_on_exec(self._ready)

    def report_ready(self):
        """Report to the predecessor that this process serves."""
        try:
            os.write(self._ready, b"r")
        except OSError:
            pass  # it has ended
        os.close(self._ready)


def inherited(environ):
    """The Inheritance of this process, or None; the variable is removed."""
    text = environ.pop(VARIABLE, None)
    return Inheritance(text) if text else None


def command_line():
    """The words that this process was started with; to be read before anything changes its title.
    """
    if hasattr(sys, "orig_argv"):
        return list(sys.orig_argv)
    try:
        with open("/proc/self/cmdline", "rb") as file:
            words = file.read().rstrip(b"\0").split(b"\0")
    except (IOError, OSError):
        return [sys.executable, "-m", "fapws"] + sys.argv[1:]
    return [os.fsdecode(word) if hasattr(os, "fsdecode") else word for word in words]


def start(words, folder, listeners, environ):
    """Run the command anew, in a folder, with this environment; a Successor.

    listeners: `listening.Listener`s. ValueError where that cannot be, OSError.
    """
    if os.getpid() == 1:
        raise ValueError("this is process 1 of a container, which would end with it")
    try:
        import json
    except ImportError as error:
        # Of a file that cannot be opened, the import system says no more.
        raise ValueError("no descriptor is left (%s)" % error)
    ready = os.pipe()
    for descriptor in ready:
        close_on_exec(descriptor)
    handed = {
        "listeners": [listener.handed() for listener in listeners],
        "pid": os.getpid(),
        "ready": ready[1],
    }
    environ = dict(environ, **{VARIABLE: json.dumps(handed)})
    try:
        pid = os.fork()
    except OSError:
        os.close(ready[0])
        os.close(ready[1])
        raise
    if pid == 0:
        try:
            for descriptor in [ready[1]] + [each[2] for each in handed["listeners"]]:
                flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
                fcntl.fcntl(descriptor, fcntl.F_SETFD, flags & ~fcntl.FD_CLOEXEC)
            os.chdir(folder)
            os.execvpe(words[0], words, environ)
        except BaseException as error:
            os.write(2, ("fapws: cannot run %s: %s\n" % (words[0], error)).encode("utf-8"))
        finally:
            os._exit(127)
    os.close(ready[1])
    return Successor(pid, ready[0])

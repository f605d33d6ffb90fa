"""What a process is to the system: its folder, its user and group, its title; its children, and its
clock.

Owns how each is set and read. The master keeps its rights, which it needs to open sockets
again; workers drop theirs before any line of the application runs.
"""

import codecs
import errno
import os
import sys

from fapws.settings import SettingsError


def start_folder():
    """The folder that the command was started in, by the name that the shell has for it.

    A deployment that points a symbolic link at its newest release is started in the link; the
    kernel knows only what it pointed at.
    """
    shell = os.environ.get("PWD", "")
    try:
        real = os.getcwd()
        if os.path.isabs(shell) and os.path.samefile(shell, real):
            return shell
        return real
    except OSError:
        return shell or "/"


def enter(folder):
    """Work in a folder, as it is now; SettingsError."""
    try:
        os.chdir(folder)
    except OSError as error:
        raise SettingsError("cannot change to %s: %s" % (folder, error.strerror))


def has_folder():
    """Whether the folder that the process works in still exists."""
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def account(user, group):
    """(uid, gid) that are meant, None for what is to stay. A user brings its own group."""
    if user is not None and group is None:
        import pwd

        try:
            group = pwd.getpwuid(user).pw_gid
        except KeyError:
            pass
    return user, group


def load_codecs():
    """Load the codecs that this package uses.

    Python loads one from its file at its first use, when this process may have no descriptor left,
    or no right to read it.
    """
    for name in "ascii", "latin-1", "utf-8":
        codecs.lookup(name)


def drop_rights(user, group):
    """Be a user and a group, by number, with the user's supplementary groups; OSError."""
    user, group = account(user, group)
    load_codecs()
    if user is not None and user != os.geteuid():
        _load_explanations()
    if os.geteuid() == 0 and (user is not None or group is not None):
        _set_groups(user, group)
    if group is not None and group != os.getegid():
        os.setgid(group)
    if user is not None and user != os.geteuid():
        os.setuid(user)


def _load_explanations():
    """Load what describes a failure, which the new user may have no right to read."""
    import difflib
    import traceback

    return difflib, traceback


def unreadable(folders):
    """Why an import may have failed: that this user cannot read one of the folders, or one of
    Python's own. None where it can read them all.
    """
    if os.geteuid() == 0:
        return None
    for folder in [os.path.dirname(os.__file__), os.path.dirname(__file__)] + list(folders):
        if not os.access(folder, os.R_OK | os.X_OK):
            return "user %s cannot read %s: install Python and the application where this user " \
                "can read them" % (_user_name(), folder)
    return None


def _user_name():
    try:
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError):
        return os.geteuid()


def _set_groups(user, group):
    import pwd

    group = os.getegid() if group is None else group
    try:
        name = pwd.getpwuid(os.geteuid() if user is None else user).pw_name
    except KeyError:
        os.setgroups([group])
    else:
        os.initgroups(name, group)


def switch_often():
    """Pass the interpreter's lock on each millisecond, not each five: beside calls that compute,
    others are quick. The application, which is loaded later, may choose otherwise.
    """
    if sys.getswitchinterval() == 0.005:
        sys.setswitchinterval(0.001)


def set_title(role, name):
    """Name the process in the lists of ps and top; whether the setproctitle package is there."""
    try:
        from setproctitle import setproctitle
    except ImportError:
        return False
    setproctitle("fapws: %s [%s]" % (role, name))
    return True


def clock():
    """Seconds since some moment, which nobody can set; Python 2 has no time.monotonic."""
    return os.times()[4]


def send_signal(pid, number):
    """Send a child a signal; one that has ended, and was not waited for yet, is sent none."""
    try:
        os.kill(pid, number)
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise


def how_ended(status):
    """How a process ended, in words, from what waitpid(2) says of it."""
    if os.WIFEXITED(status):
        return "exit code %d" % os.WEXITSTATUS(status)
    return "signal %d" % os.WTERMSIG(status)


def reason(error):
    """What an exception says, in words: one that is not meant for people is named."""
    if isinstance(error, ValueError):
        return str(error)
    # Not by the module traceback, which there may be no descriptor left to import.
    return ("%s: %s" % (type(error).__name__, error)).rstrip(": ")


def isolates_workers():
    """Whether workers are a process group of their own each, apart from a terminal's signals.

    Not at a terminal: a background group may not read from it, so no debugger would work.
    """
    return sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty()

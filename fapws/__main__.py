"""The command: `python -m fapws MODULE:NAME`, also installed as `fapws`.

Owns the order of things: options, settings, sockets, the file with the process id, and the parting
of master and workers. What is wrong with the call is told in a line or two, with exit code 2.
"""

from __future__ import print_function

import errno
import os
import pkgutil
import sys
import traceback

import fapws
from fapws import console

try:
    from fapws import config, listening, loading, options
    from fapws.master import Master
    from fapws.worker import Site
except ImportError:
    _folder = os.path.dirname(os.path.abspath(fapws.__path__[0]))
    _compiled = "_evwsgi" in [each[1] for each in pkgutil.iter_modules(fapws.__path__)]
    if _compiled or not os.path.isfile(os.path.join(_folder, "setup.py")):
        raise
    # Python looks in the folder it is started in before it looks at what is installed.
    console.complain(
        "fapws: %s is the source without its compiled core: leave this folder, or compile it here "
        "(%s setup.py build_ext --inplace)\n" % (_folder, os.path.basename(sys.executable))
    )
    sys.exit(2)

_GREEN, _BOLD, _PLAIN = "\033[32m", "\033[1m", "\033[0m"


class _Misuse(ValueError):
    """What the command cannot work with."""


def main(arguments=None):
    """Run the command; the exit code."""
    console.open_standard()
    program = "fapws" if os.path.basename(sys.argv[0]) == "fapws" else "python -m fapws"
    chosen = options.parse(arguments, program)
    if chosen.version:
        print(options.version())
        return 0
    try:
        if chosen.dialect:
            # What is written here wins over what the environment says elsewhere.
            os.environ["FAPWS_DIALECT"] = chosen.dialect
        settings = _settings(chosen)
        _check_access_log(chosen)
        if chosen.check:
            return _check(chosen, settings)
        return _serve(chosen, settings)
    except (
        _Misuse, loading.LoadError, listening.AddressError, options.SettingsError
    ) as error:
        console.complain("fapws: %s\n" % error)
        return 2
    except KeyboardInterrupt:
        return 130  # as a shell has it: ended by SIGINT, before there was a master to obey it


def _settings(chosen):
    """The settings of the file that --config names, under the command's own default."""
    settings = {"dialect": "standard"}
    if chosen.config:
        with console.careful():
            settings.update(options.read_settings(chosen.config))
    dialect = os.environ.get("FAPWS_DIALECT")
    if dialect and dialect not in options.DIALECTS:
        raise _Misuse('FAPWS_DIALECT is "%s"; it can be "legacy" or "standard"' % dialect)
    return settings


def _check_access_log(chosen):
    """Raise _Misuse for an access log that no worker could write."""
    if not chosen.access_log:
        return
    from fapws.contrib import accesslog

    try:
        accesslog.check(chosen.access_log_format)
    except ValueError as error:
        raise _Misuse("--access-log-format: %s" % error)
    try:
        accesslog.check_file(chosen.access_log)
    except EnvironmentError as error:
        raise _Misuse("--access-log %s: %s" % (chosen.access_log, error.strerror))


def _check(chosen, settings):
    """What --check does."""
    for name, value in settings.items():
        setattr(config, name, value)
    application = loading.load(chosen.application)
    kind = getattr(application, "__name__", None) or type(application).__name__
    print("%s is an application (%s)" % (chosen.application, kind))
    return 0


def _serve(chosen, settings):
    """Listen, then be the master until the end, or one of the workers it forks."""
    notify = _notifier()
    listeners = _listeners(chosen)
    watched = [chosen.config] if chosen.config else []
    access_log = chosen.access_log and (chosen.access_log, chosen.access_log_format)
    site = Site(
        chosen.application, settings, listeners, access_log, chosen.reload, watched
    )
    begun = []

    def prepare():
        """Read the settings again for the workers of a reload."""
        if begun:
            site.settings = _settings(chosen)
        begun.append(True)

    def patience():
        return float(site.settings.get("graceful_timeout") or config.graceful_timeout or 30)

    def tell():
        """Say at what address it serves, where there was no banner that did."""
        if not console.at_terminal():
            addresses = ", ".join(listener.shown for listener in listeners)
            _log("serving %s on %s" % (chosen.application, addresses))

    record = _PidFile(chosen.pid) if chosen.pid else None
    _greet(chosen, listeners)
    prepare()
    outcome = Master(chosen.workers, patience, prepare, _log, tell, notify).supervise()
    if not isinstance(outcome, int):
        return _work(site, outcome)
    for listener in listeners:
        listener.close()
    if record:
        record.remove()
    return outcome


def _work(site, link):
    """Be a worker; the exit code."""
    try:
        return site.serve(link)
    except Exception:
        # Python's own way to tell it would wait for whoever reads stderr.
        console.complain(traceback.format_exc())
        return 1


def _notifier():
    """Who tells systemd what happens, when it asked for that."""
    if "NOTIFY_SOCKET" not in os.environ:
        return None
    from fapws.contrib.systemd import Notifier

    return Notifier.from_environ(os.environ)


def _listeners(chosen):
    listeners = []
    if not chosen.bind:
        listeners = listening.inherited(os.environ)
    # They are for this process, not for the programs that the application runs.
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    addresses = chosen.bind or ([] if listeners else [options.DEFAULT_ADDRESS])
    return listeners + [listening.listen(address) for address in addresses]


class _PidFile(object):
    """The file with the master's process id. Refuses to take over one of a living process."""

    def __init__(self, path):
        self._path = path
        self._words = "%d\n" % os.getpid()
        other = self._owner()
        if other and _lives(other):
            raise _Misuse("%s: process %d is running already" % (path, other))
        try:
            # Never half written: whoever reads it may send a signal.
            with open(path + ".new", "w") as file:
                file.write(self._words)
            os.rename(path + ".new", path)
        except (IOError, OSError) as error:
            raise _Misuse("--pid %s: %s" % (path, error.strerror))

    def _owner(self):
        try:
            with open(self._path) as file:
                return int(file.read())
        except (IOError, OSError, ValueError):
            return None

    def remove(self):
        """Remove it, unless it tells of another process by now."""
        if self._owner() == os.getpid():
            os.unlink(self._path)


def _lives(pid):
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno == errno.EPERM
    return pid != os.getpid()


def _log(line):
    """What the master has to say goes to stderr: stdout may be the access log."""
    console.complain("fapws[%d]: %s\n" % (os.getpid(), line))


def _greet(chosen, listeners):
    """A banner for people: only at a terminal."""
    if not console.at_terminal():
        return
    bold, green, plain = (_BOLD, _GREEN, _PLAIN) if "NO_COLOR" not in os.environ else ("", "", "")
    workers = "%d workers" % chosen.workers if chosen.workers > 1 else "one worker"
    lines = ["%s%s%s" % (bold, options.version(), plain)]
    lines += ["  %s%s%s" % (green, listener.shown, plain) for listener in listeners]
    lines += ["  %s, %s; Ctrl-C ends it" % (chosen.application, workers), ""]
    console.complain("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())

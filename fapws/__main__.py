"""The command: `python -m fapws MODULE:NAME`, also installed as `fapws`.

Owns the order of set-up: options, settings, the PID file, sockets, then the fork of the workers. A
mistake on the command line or in the settings is reported in a line or two, with exit code 2.
"""

from __future__ import print_function

import os
import sys

import fapws
from fapws import console

try:
    from fapws import listening, loading, options, process, upgrade
    from fapws.hooks import Hooks
    from fapws.master import Master
    from fapws.server_log import ServerLog
    from fapws.settings import (
        DEFAULT_ADDRESS, Settings, SettingsError, defaults_from_environ, from_environ,
        ignored_variables, misspelt_variables)
    from fapws.worker import WorkerSpec
except ImportError:
    import pkgutil

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

#: Settings that a reload does not change: sockets, and what the master itself is.
_FIXED = ("bind", "backlog", "pid", "umask", "name", "reload", "application")


def main(arguments=None):
    """Run the command; the exit code."""
    console.open_standard()
    try:
        call = options.parse(sys.argv[1:] if arguments is None else arguments)
        if call.help:
            is_script = os.path.basename(sys.argv[0]) == "fapws"
            print(options.help_text("fapws" if is_script else "python -m fapws"))
            return 0
        if call.version:
            print("%s; package fapws3 %s" % (options.version(), fapws.__version__))
            return 0
        return _Command(call).run()
    except (SettingsError, loading.LoadError, listening.AddressError) as error:
        console.complain("fapws: %s\n" % error)
        return 2
    except KeyboardInterrupt:
        return 130  # as a shell has it: ended by SIGINT, before there was a master to obey it


class _Command(object):
    """One call of the command that serves, or checks whether it could."""

    def __init__(self, call):
        self._call = call
        self._words = upgrade.command_line()
        self._inheritance = upgrade.inherited(os.environ)
        self._start = process.start_folder()
        self._folder = self._start
        self.log = ServerLog()
        _leave_start_folder_to_loading()
        # What the environment says once, it says at each reload.
        self._environ = from_environ(os.environ)
        for name, meant in misspelt_variables(os.environ):
            self.log.warning("there is no variable %s; did you mean %s?", name, meant)
        for each in ignored_variables(os.environ):
            self.log.warning("%s has no effect: %s can only be set by %s", *each)
        self._platform = defaults_from_environ(os.environ)
        self._config = call.config or os.environ.get("FAPWS_CONFIG")
        self._read()

    def _read(self):
        """Read the settings, now or for a reload; SettingsError."""
        process.enter(self._start)
        found, hooks, notes = {}, {}, list(self._call.notes)
        if self._config:
            from fapws import config_file

            with console.nonblocking_stdio():
                read = config_file.read(self._config, self._start)
            found, hooks = read.values, read.hooks
            notes += read.notes
        settings = Settings(self._call.values, self._environ, found, self._platform)
        settings.check()
        self._folder = os.path.join(self._start, settings.chdir or "")
        process.enter(self._folder)
        self.settings, self._hooks_read, self._notes = settings, hooks, notes
        self.log.level = settings.log_level
        for pair in settings.raw_env or ():
            name, _, value = pair.partition("=")
            os.environ[name] = value
        self.application = self._call.application
        if self.application is None:
            self.application = settings.application
        if self.application is None:
            raise SettingsError(
                "which application? Name it as MODULE:NAME, for instance hello:app")

    def run(self):
        """Check, or serve; the exit code."""
        if os.environ.get("FAPWS_DIALECT"):
            # The core reads it, too; an option wins over it.
            os.environ["FAPWS_DIALECT"] = self.settings.dialect
        self._report()
        _check_access_log(self.settings)
        if self._call.check:
            return self._check()
        return self._serve()

    def _report(self):
        for note in self._notes:
            self.log.warning(note)

    def _check(self):
        """What --check does."""
        from fapws import config

        for name, value in self.settings.for_config().items():
            setattr(config, name, value)
        loading.add_to_path(self.settings.pythonpath)
        application = loading.load(self.application)
        kind = getattr(application, "__name__", None) or type(application).__name__
        print("%s is an application (%s)" % (self.application, kind))
        return 0

    def _serve(self):
        """Listen, then be the master until the end, or one of the workers it forks."""
        settings = self.settings
        if settings.umask is not None:
            os.umask(settings.umask)
        self._title("master")
        hooks = self._hooks = Hooks(self._hooks_read, settings, self.log)
        hooks.starting()
        pid_file = None
        listeners = []
        try:
            if settings.pid:
                from fapws.pid_file import PidFile

                pid_file = PidFile(settings.pid, self._inheritance is not None)
            self._service = _service_variables()
            notify = _notifier()
            listeners = _listeners(settings, self._inheritance)
        except BaseException:
            _leave(listeners, pid_file)
            raise
        self._pid_file = pid_file
        self._spec = WorkerSpec(
            self.application, settings, listeners, hooks, self.log,
            folder=self._folder, watched=self._watched())
        self._greet(listeners)
        hooks.ready(listening.shown(listeners))
        _check_preload(settings)
        self._master = Master(self, hooks, notify, self._scoreboard())
        outcome = self._master.supervise()
        if not isinstance(outcome, int):
            if pid_file:
                pid_file.forget()
            return self._work(outcome)
        _leave(listeners, pid_file)
        hooks.exiting()
        return outcome

    def _scoreboard(self):
        from fapws.scoreboard import Scoreboard

        try:
            return Scoreboard()
        except (EnvironmentError, ValueError) as error:
            self.log.warning("no memory to share: workers are not watched (%s)" % error)
            return None

    def _work(self, link):
        """Be a worker; the exit code."""
        self._title("template" if link.orders else "worker")
        try:
            return self._spec.preload(link) if link.orders else self._spec.serve(link)
        except Exception:
            # Python's own way to report it would wait for the reader of stderr.
            self.log.exception("the worker failed")
            return 1

    # --- what the master asks for (fapws/master.py) -------------------------------------------

    def reread(self):
        """Read the settings again, for the workers of a reload; SettingsError."""
        before = self.settings
        self._read()
        self._report()
        for name in _FIXED:
            if getattr(before, name) != getattr(self.settings, name):
                self.log.warning("%s has changed: that needs a restart" % name)
        _check_access_log(self.settings)
        _check_preload(self.settings)
        self._hooks.replace(self._hooks_read, self.settings)
        self._hooks.reloading()
        self._spec.settings = self.settings
        self._spec.folder = self._folder
        self._spec.watched = self._watched()
        if before.workers != self.settings.workers:
            self._master.want(self.settings.workers)

    def _watched(self):
        """Files that count as sources: the settings, and what --reload-extra-file names."""
        files = [self._config] if self._config else []
        files = [os.path.join(self._start, each) for each in files]
        return files + list(self.settings.reload_extra_file or ())

    def stop_listening(self):
        """Close the listeners; of unix sockets, the files go."""
        for listener in self._spec.listeners:
            listener.close()

    def upgrade(self):
        """Start another master, of what code and interpreter are there now; an `upgrade.Successor`.
        """
        environ = dict(os.environ, **self._service)
        return upgrade.start(self._words, self._start, self._spec.listeners, environ)

    def handed_over(self, pid):
        """Another master serves: files are its own."""
        for listener in self._spec.listeners:
            listener.disown()

    def taken_back(self):
        """It has ended."""
        for listener in self._spec.listeners:
            listener.own()
        if self._pid_file:
            self._pid_file.take_over()

    def ready(self):
        """All workers serve: log at what address, where there was no banner that says so."""
        if self._inheritance:
            for listener in self._spec.listeners:
                listener.own()
            if self._pid_file and not self._pid_file.take_over():
                self.log.error("--pid %s: cannot be written" % self._pid_file.path)
            self._inheritance.report_ready()
        if not console.at_terminal():
            addresses = ", ".join(listening.shown(self._spec.listeners))
            self.log.info("serving %s on %s" % (self.application, addresses))

    def _title(self, role):
        name = self.settings.name or self.application
        if not process.set_title(role, name) and self.settings.name and role == "master":
            self.log.warning("name has no effect: the setproctitle package is not installed")

    def _greet(self, listeners):
        """A banner for people: only at a terminal."""
        if not console.at_terminal():
            return
        coloured = "NO_COLOR" not in os.environ
        bold, green, plain = (_BOLD, _GREEN, _PLAIN) if coloured else ("", "", "")
        workers = self.settings.workers
        shown = "%d workers" % workers if workers > 1 else "one worker"
        lines = ["%s%s%s" % (bold, options.version(), plain)]
        lines += ["  %s%s%s" % (green, address, plain) for address in listening.shown(listeners)]
        lines += ["  %s, %s; Ctrl-C ends it" % (self.application, shown), ""]
        console.complain("\n".join(lines))


def _leave_start_folder_to_loading():
    """Take the folder that `python -m` looks in first off Python's path.

    It is there by the name that the kernel has for it, which a reload must not go back to.
    """
    try:
        if sys.path and sys.path[0] == os.getcwd():
            del sys.path[0]
    except OSError:
        pass


def _check_access_log(settings):
    """Raise SettingsError for an access log that no worker could write."""
    if not settings.access_log:
        return
    from fapws.contrib import accesslog

    try:
        accesslog.check(settings.access_log_format)
    except ValueError as error:
        raise SettingsError("--access-log-format: %s" % error)
    made = settings.access_log != "-" and not os.path.exists(settings.access_log)
    try:
        accesslog.check_file(settings.access_log)
        if made and settings.access_log != "-" and os.geteuid() == 0:
            user, group = process.account(settings.user, settings.group)
            os.chown(settings.access_log, *[-1 if each is None else each for each in (user, group)])
    except EnvironmentError as error:
        raise SettingsError("--access-log %s: %s" % (settings.access_log, error.strerror))


def _check_preload(settings):
    """Get ready for template processes; SettingsError where the system has no way to."""
    if settings.preload and not settings.reload:
        from fapws import template

        if not template.adopt_orphans():
            raise SettingsError("preload: this system cannot give workers another parent")


def _notifier():
    """What reports to systemd, where it set NOTIFY_SOCKET."""
    if "NOTIFY_SOCKET" not in os.environ:
        return None
    from fapws.contrib.systemd import Notifier

    return Notifier.from_environ(os.environ)


def _service_variables():
    """What systemd has set for this process, for another master."""
    names = ("NOTIFY_SOCKET", "WATCHDOG_USEC")
    return {name: os.environ[name] for name in names if name in os.environ}


def _listeners(settings, inheritance):
    handed = inheritance.listeners if inheritance else []
    handed = [listening.adopt_handed(*each) for each in handed]
    listeners = [listener for listener in handed if listener.bind is None and not settings.bind]
    if not settings.bind:
        listeners += listening.inherited(os.environ)
    # They are for this process, not for the programs that the application runs.
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    addresses = settings.bind or ([] if listeners else [DEFAULT_ADDRESS])
    try:
        for address in addresses:
            same = [listener for listener in handed if listener.bind == address]
            listeners += same or listening.listen(address, settings.backlog)
        for listener in handed:
            if listener not in listeners:
                listener.close()
    except BaseException:
        _leave(listeners, None)
        raise
    return listeners


def _leave(listeners, pid_file):
    """Close and remove what the master opened."""
    for listener in listeners:
        listener.close()
    if pid_file:
        pid_file.remove()


if __name__ == "__main__":
    sys.exit(main())

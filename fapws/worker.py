"""A worker: the process that loads the application and serves it.

Owns what happens between the fork and the end of `_evwsgi.run`. Does not know how many of its kind
there are. Invariant: it ends when the master is gone, however that went, so that no worker is left
to hold the port with an application that nobody can reload.
"""

import errno
import os
import signal
import threading
import time

from fapws import _evwsgi, base, loading, process, scoreboard
from fapws.link import CANNOT_LOAD, CHANGED, SERVING, WAITING
from fapws.termination import KILL_AFTER
from fapws.readiness import when_ready
from fapws.settings import SettingsError


#: Why there is no application.
_FAILURES = (loading.LoadError, SettingsError, ImportError, EnvironmentError)


class WorkerSpec(object):
    """What is served, and how.

    spec: the application, as `loading.load` takes it. settings: a `settings.Settings`. listeners:
    `listening.Listener`s. hooks: a `hooks.Hooks`. log: a `server_log.ServerLog`. folder: where the
    application is at home. watched: files that count as sources.
    """

    def __init__(self, spec, settings, listeners, hooks, log, folder, watched=()):
        self.spec = spec
        self.settings = settings
        self.listeners = listeners
        self.hooks = hooks
        self.log = log
        self.folder = folder
        self.watched = watched
        self._more = ()

    def serve(self, link):
        """Load the application and serve it until a signal ends it; the exit code. `link` is a
        `link.Link`.
        """
        began = time.time()
        self._become_worker(link)
        try:
            self._prepare()
            self._call_hook("post_fork", self.hooks.in_worker, link.age)
            application = self._load()
            self._call_hook("post_worker_init", self.hooks.loaded, application)
            self._follow_log()
        except _FAILURES as error:
            if not self._has_logged(error):
                raise
            if not self.settings.reload:
                return CANNOT_LOAD
            self._watch(link, began, getattr(error, "files", ()))
            link.report(WAITING)
            while True:
                signal.pause()
        if self.settings.reload:
            self._watch(link, began, self._more)
        return self._run(link, application)

    def preload(self, link):
        """Be the template, which loads the application and forks workers; the exit code."""
        from fapws import template

        signal.signal(signal.SIGHUP, _pass)
        signal.signal(signal.SIGUSR1, _pass)
        _write_stacks()
        try:
            forked = template.run(link, self.log, self._load_for_workers)
        except _FAILURES as error:
            if not self._has_logged(error):
                raise
            return CANNOT_LOAD
        return 0 if forked is None else self._serve_preloaded(*forked)

    def _load_for_workers(self):
        self._prepare()
        return self._load()

    def _serve_preloaded(self, link, application):
        self._become_worker(link)
        try:
            self._call_hook("post_fork", self.hooks.in_worker, link.age)
            self._call_hook("post_worker_init", self.hooks.loaded, application)
            self._follow_log()
        except _FAILURES as error:
            if not self._has_logged(error):
                raise
            return CANNOT_LOAD
        return self._run(link, application)

    def _has_logged(self, error):
        """Log why there is no application. What the server itself could not read is logged only
        where the reason is known.
        """
        folders = [self.folder] + list(self.settings.pythonpath or ())
        why = process.unreadable(folders) if self.settings.user is not None else None
        if isinstance(error, (ImportError, EnvironmentError)) and not why:
            return False
        self.log.error("%s", error)
        if why:
            self.log.error("%s", why)
        return True

    def _become_worker(self, link):
        # From a terminal: no traceback of whatever is being imported.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        # The master's business. Not ignored, which programs that are run here would inherit.
        signal.signal(signal.SIGHUP, _pass)
        # Where there is no log to be opened anew it means nothing.
        signal.signal(signal.SIGUSR1, _pass)
        _write_stacks()
        _start_thread(_end_with, link.lifeline, self._grace, self.log)
        if link.board is not None and link.slot is not None:
            scoreboard.current = link.board
            link.board.share(link.slot)

    def _grace(self):
        return float(self.settings.graceful_timeout or 0) + KILL_AFTER

    def _run(self, link, application):
        _evwsgi.wsgi_gen_cb(application)
        for listener in self.listeners:
            listener.register()
        when_ready(lambda: link.report(SERVING))
        try:
            _evwsgi.run()
        finally:
            self.hooks.leaving()
        return 0

    def _prepare(self):
        """Become the process that the settings want; LoadError."""
        if not process.has_folder():
            # The release that the master was started in is gone.
            process.enter(self.folder)
        for name, value in self.settings.for_config().items():
            setattr(base.config, name, value)
        if self.settings.access_log not in (None, "", "-"):
            # The application may change the folder.
            base.config.access_log = os.path.abspath(self.settings.access_log)
        if self.settings.multiprocess is None:
            base.config.multiprocess = self.settings.workers > 1
        # The master waits before it sends SIGTERM, for all workers alike.
        base.config.shutdown_delay = 0
        _evwsgi.set_base_module(base)
        try:
            process.drop_rights(self.settings.user, self.settings.group)
        except OSError as error:
            raise loading.LoadError("cannot change user and group: %s" % error.strerror)

    def _load(self):
        """Load the application; LoadError."""
        loading.add_to_path(self.settings.pythonpath)
        if self.settings.threads > 1:
            process.switch_often()
        application = loading.load(self.spec)
        if self.settings.reload:
            from fapws.contrib.django_handler import for_development

            application, self._more = for_development(application, self.log)
        return application

    def _call_hook(self, name, call, *arguments):
        try:
            call(*arguments)
        except Exception:
            import traceback

            raise loading.LoadError("the hook %s failed:\n%s" % (name, traceback.format_exc()))

    def _follow_log(self):
        """Have SIGUSR1 open the access log anew; LoadError for one that cannot be written."""
        path = self.settings.access_log
        if not path:
            return
        from fapws.contrib import accesslog

        try:
            accesslog.check_file(base.config.access_log)
        except EnvironmentError as error:
            raise loading.LoadError("--access-log %s: %s" % (path, error.strerror))

        def reopen(number, frame):
            try:
                _evwsgi.reopen_access_log()
            except EnvironmentError as error:
                # Raised in a handler it would end `run`. The file that is open stays in use.
                self.log.error("--access-log %s: %s", path, error)

        signal.signal(signal.SIGUSR1, reopen)

    def _watch(self, link, began, more=()):
        from fapws.contrib.reload import Watcher

        watcher = Watcher(list(self.watched) + list(more), began)
        _start_thread(watcher.watch, lambda: link.report(CHANGED))


def _pass(number, frame):
    """A signal that means nothing here."""


def _start_thread(target, *arguments):
    thread = threading.Thread(target=target, args=arguments)
    thread.daemon = True
    thread.start()


def _write_stacks():
    """Have the process write its threads' stacks when SIGABRT ends it. Python 2 cannot."""
    try:
        import faulthandler

        if not faulthandler.is_enabled():
            faulthandler.enable(file=2)
    except (ImportError, EnvironmentError, ValueError):
        pass


def _end_with(lifeline, grace, log):
    """End this process when the other end of a pipe is closed, which only the master's death does.

    `run` drains then, as if the master had sent the signal. Where a call hangs, the process is
    ended with it, so that nobody is left who holds the address.
    """
    while True:
        try:
            os.read(lifeline, 1)
            break
        except OSError as error:
            # Python 2: two signals at once, and the second may come to this thread.
            if error.errno != errno.EINTR:
                raise
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(min(grace(), threading.TIMEOUT_MAX if hasattr(threading, "TIMEOUT_MAX") else 1e6))
    log.error("worker %d outlives its master, and has not ended in time: it is killed", os.getpid())
    os.kill(os.getpid(), signal.SIGKILL)

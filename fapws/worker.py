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

from fapws import _evwsgi, base, loading, process
from fapws.master import CANNOT_LOAD, CHANGED, SERVING, WAITING
from fapws.readiness import when_ready
from fapws.settings import SettingsError


class Site(object):
    """What is served, and how.

    words: the application, as `loading.load` takes it. settings: a `settings.Settings`. listeners:
    `listening.Listener`s. hooks: a `hooks.Hooks`. log: a `server_log.ServerLog`. folder: where the
    application is at home. watched: files that count as sources.
    """

    def __init__(self, words, settings, listeners, hooks, log, folder, watched=()):
        self.words = words
        self.settings = settings
        self.listeners = listeners
        self.hooks = hooks
        self.log = log
        self.folder = folder
        self.watched = watched

    def serve(self, link):
        """Serve until a signal ends it; the exit code. `link` is a `master.Link`."""
        began = time.time()
        # From a terminal: no traceback of whatever is being imported.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        # The master's business. Not ignored, which programs that are run here would inherit.
        signal.signal(signal.SIGHUP, _pass)
        _start_thread(_end_with, link.lifeline)
        try:
            application = self._logged(self._load())
        except (loading.LoadError, SettingsError) as error:
            self.log.error("%s", error)
            if not self.settings.reload:
                return CANNOT_LOAD
            self._watch(link, began, getattr(error, "files", ()))
            link.say(WAITING)
            while True:
                signal.pause()
        _evwsgi.wsgi_gen_cb(application)
        for listener in self.listeners:
            listener.register()
        if self.settings.reload:
            self._watch(link, began)
        when_ready(lambda: link.say(SERVING))
        try:
            _evwsgi.run()
        finally:
            self.hooks.leaving()
        return 0

    def _load(self):
        """Become the process that the settings want, and load the application; LoadError."""
        if not process.has_folder():
            # The release that the master was started in is gone.
            process.enter(self.folder)
        for name, value in self.settings.for_config().items():
            setattr(base.config, name, value)
        _evwsgi.set_base_module(base)
        try:
            process.drop_rights(self.settings.user, self.settings.group)
        except OSError as error:
            raise loading.LoadError("cannot change user and group: %s" % error.strerror)
        self._call_hook("post_fork", self.hooks.in_worker)
        loading.add_to_path(self.settings.pythonpath)
        application = loading.load(self.words)
        self._call_hook("post_worker_init", self.hooks.loaded, application)
        if self.settings.reload:
            from fapws.contrib.django_handler import with_static_files

            application = with_static_files(application)
        return application

    def _call_hook(self, name, call, *arguments):
        try:
            call(*arguments)
        except Exception:
            import traceback

            raise loading.LoadError("the hook %s failed:\n%s" % (name, traceback.format_exc()))

    def _logged(self, application):
        path = self.settings.access_log
        if not path:
            return application
        from fapws.contrib.accesslog import AccessLog

        try:
            log = AccessLog(application, path, self.settings.access_log_format)
        except EnvironmentError as error:
            raise loading.LoadError("--access-log %s: %s" % (path, error.strerror))

        def reopen(number, frame):
            try:
                log.reopen()
            except EnvironmentError as error:
                # Raised in a handler it would end `run`. The file that is open stays in use.
                self.log.error("--access-log %s: %s", path, error.strerror)

        signal.signal(signal.SIGUSR1, reopen)
        return log

    def _watch(self, link, began, more=()):
        from fapws.contrib.reload import Watcher

        watcher = Watcher(list(self.watched) + list(more), began)
        _start_thread(watcher.watch, lambda: link.say(CHANGED))


def _pass(number, frame):
    """A signal that means nothing here."""


def _start_thread(target, *arguments):
    thread = threading.Thread(target=target, args=arguments)
    thread.daemon = True
    thread.start()


def _end_with(lifeline):
    """End this process when the other end of a pipe is closed, which only the master's death does.

    `run` drains then, as if the master had said so.
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

"""A worker: the process that loads the application and serves it.

Owns what happens between the fork and the end of `_evwsgi.run`. Does not know how many of its kind
there are. Invariant: it ends when the master is gone, however that went, so that no worker is left
to hold the port with an application that nobody can reload.
"""

import errno
import os
import signal
import sys
import threading
import time

from fapws import _evwsgi, base, loading, process
from fapws.master import CANNOT_LOAD, CHANGED, SERVING, WAITING
from fapws.settings import SettingsError


#: The name in `sys` under which the core finds stdout.
_SAID_ON = "__stdout__" if sys.version_info[0] == 2 else "stdout"


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
        setattr(sys, _SAID_ON, _UntilBackend(getattr(sys, _SAID_ON), lambda: link.say(SERVING)))
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


class _UntilBackend(object):
    """Stands in for the stream that `run` writes to until `run` has named libev's backend there.

    That line is for programs that call `run` themselves; here stdout is the application's, and the
    access log's. It is the first thing that `run` writes, the only one that is lost, and the sign
    that its settings are good and its loop is made: `begun` is called then. Told any earlier, the
    master would end the old workers for new ones that cannot serve.

    It has no `fileno`, lest the core ask a pipe that nobody reads whether the line may be written.
    """

    def __init__(self, stream, begun):
        self._stream = stream
        self._begun = begun

    def write(self, text):
        if text.endswith(" as event backend\n"):
            setattr(sys, _SAID_ON, self._stream)
            self._begun()
        elif self._stream is not None:
            self._stream.write(text)

    def flush(self):
        if self._stream is not None and getattr(sys, _SAID_ON) is self:
            self._stream.flush()


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

"""A worker class for gunicorn: `gunicorn -k fapws.contrib.gunicorn.FapwsWorker hello:app`.

gunicorn owns the processes, the sockets, the logs of its own and the command line; this serves in
one of its workers. The access log is gunicorn's format and file, written by
`fapws.contrib.accesslog`. Invariant: the heartbeat is given by the loop itself, so an application
that hangs is noticed by gunicorn's `timeout`.
"""

from __future__ import absolute_import  # this module's name is its library's

import os
import signal
import sys
import traceback

from gunicorn.workers.base import Worker

from fapws import _evwsgi, base


class FapwsWorker(Worker):
    """Serves gunicorn's listeners on the core's loop, in the standard dialect.

    gunicorn's `graceful_timeout`, `keepalive` and limits of the head are obeyed where they were
    set; otherwise the core's defaults hold.
    """

    #: gunicorn's names of settings, and `fapws.config`'s.
    _SETTINGS = (
        ("graceful_timeout", "graceful_timeout"),
        ("keepalive", "keep_alive_timeout"),
        ("limit_request_line", "max_request_line"),
        ("limit_request_fields", "max_header_count"),
    )

    def init_signals(self):
        """Leave SIGTERM and SIGINT to the core, which drains at them; take the others."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGQUIT, self._quit)
        signal.signal(signal.SIGABRT, self.handle_abort)
        signal.signal(signal.SIGUSR1, self.handle_usr1)
        # gunicorn asks a worker of the generation before to go with SIGTERM; SIGWINCH and SIGHUP
        # are its master's.
        signal.signal(signal.SIGWINCH, self._pass)
        signal.signal(signal.SIGHUP, self._pass)

    def run(self):
        """Serve until gunicorn says otherwise."""
        for name, ours in self._SETTINGS:
            setting = self.cfg.settings[name]
            if setting.get() != setting.default:
                setattr(base.config, ours, setting.get())
        base.config.dialect = "standard"
        _evwsgi.set_base_module(base)
        for listener in self.sockets:
            name = listener.getsockname()
            # A copy: gunicorn closes its own.
            if isinstance(name, tuple):
                _evwsgi.start_fd(os.dup(listener.fileno()), name[0], str(name[1]))
            else:
                _evwsgi.start_fd(os.dup(listener.fileno()), "localhost", "80")
        _evwsgi.wsgi_gen_cb(self._logged(self.wsgi))
        # Before the first beat gunicorn does not count.
        self.notify()
        # Often enough for the shortest patience, a second.
        _evwsgi.add_timer(0.5, self._beat)
        sys.stdout.flush()
        _evwsgi.run()

    def _logged(self, application):
        if not self.cfg.accesslog:
            return application
        from fapws.contrib.accesslog import AccessLog

        self._access_log = AccessLog(application, self.cfg.accesslog, self.cfg.access_log_format)
        return self._access_log

    def handle_usr1(self, number, frame):
        """Open the logs anew."""
        self.log.reopen_files()
        if self.cfg.accesslog:
            self._access_log.reopen()

    def handle_abort(self, number, frame):
        """The heart has not beaten for `timeout` seconds: end, and tell where it hung.

        Not by SystemExit, as other workers do: raised inside the application it would cost that
        request a 500, and the worker would go on.
        """
        self.alive = False
        self.cfg.worker_abort(self)
        self.log.error("Hung here:\n%s", "".join(traceback.format_stack(frame)))
        os._exit(1)

    def _beat(self):
        self.notify()
        if self.ppid != os.getppid():
            self.log.info("Parent changed, shutting down: %s", self)
            os.kill(os.getpid(), signal.SIGTERM)
            return False
        return None

    def _quit(self, number, frame):
        """SIGQUIT: drain, and at once when it is already draining."""
        os.kill(os.getpid(), signal.SIGTERM)

    def _pass(self, number, frame):
        """A signal that means nothing here."""

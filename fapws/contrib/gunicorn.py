"""A worker class for gunicorn: `gunicorn -k fapws.contrib.gunicorn.FapwsWorker hello:app`.

gunicorn owns the processes, the sockets, its own logs and the command line; this serves in its
workers. Invariants: a setting of gunicorn's takes effect, or the start fails and names it; the
heartbeat comes from the loop itself, so gunicorn's `timeout` detects an application that hangs.
"""

from __future__ import absolute_import  # this module's name is its library's

import os
import signal
import sys
import traceback

from gunicorn.workers.base import Worker

from fapws import _evwsgi, base
from fapws.contrib.accesslog import AccessLog

#: gunicorn's names of settings, and those of `fapws.config` that say the same.
_SAME = {
    "graceful_timeout": "graceful_timeout",
    "keepalive": "keep_alive_timeout",
    "limit_request_line": "max_request_line",
    "limit_request_fields": "max_header_count",
    "worker_connections": "max_connections",
    "threads": "threads",
    "forwarded_allow_ips": "forwarded_allow_ips",
    "proxy_protocol": "proxy_protocol",
    "proxy_allow_ips": "proxy_allow_from",
    "root_path": "root_path",
}

_TLS = "there is no TLS in this worker: put nginx, HAProxy or pound in front"
_STRICT = "this worker reads requests as RFC 9112 has them, and no other way"
_PER_REQUEST = "this worker does not call it: wrap the application (WSGI middleware)"

#: What this worker cannot obey, where it is set to anything but its default.
_REJECTED = {
    "certfile": _TLS,
    "keyfile": _TLS,
    "pre_request": _PER_REQUEST,
    "post_request": _PER_REQUEST,
    "limit_request_field_size": "this worker limits the whole head: fapws.config.max_header_size",
    "tmp_upload_dir": "this worker keeps bodies in TMPDIR",
    "sendfile": "this worker sends files by sendfile",
    "secure_scheme_headers": "this worker reads X-Forwarded-Proto alone",
    "forwarder_headers": "this worker takes no such header",
    "header_map": _STRICT,
    "strip_header_spaces": _STRICT,
    "permit_obsolete_folding": _STRICT,
    "permit_unconventional_http_version": _STRICT,
    "casefold_http_method": _STRICT,
    "protocol": "this worker speaks HTTP alone",
    "http_protocols": "this worker supports only HTTP/1.1",
    "http2_cleartext": "this worker supports only HTTP/1.1",
    "statsd_host": "this worker sends no numbers: fapws.contrib.stats has them",
}


def unsupported(cfg):
    """gunicorn's settings that this worker does not support, as a list of lines for people."""
    found = []
    for name, reason in sorted(_REJECTED.items()):
        if _is_set(cfg, name):
            found.append("%s: %s" % (name, reason))
    if _is_set(cfg, "threads") and sys.version_info[0] == 2:
        found.append("threads: more than one needs Python 3")
    if _is_set(cfg, "logger_class") and cfg.accesslog:
        found.append("logger_class: this worker writes the access log itself, without it")
    return found


def _is_set(cfg, name):
    """Whether a setting has another value than its default. Older gunicorns lack some of them."""
    setting = cfg.settings.get(name)
    # A new one has gone through the same checks, which make lists of texts.
    return setting is not None and setting.get() != type(setting)().get()


class FapwsWorker(Worker):
    """Serves gunicorn's listeners on the core's loop, in the standard dialect.

    gunicorn's timeouts, limits and numbers of threads and requests take effect if they were set;
    otherwise the core's defaults do.
    """

    def __init__(self, age, ppid, sockets, app, timeout, cfg, log):
        """In gunicorn's master, before the fork: fails for settings that are not supported."""
        wrong = unsupported(cfg)
        for line in wrong:
            log.error("Not with this worker class: %s", line)
        if wrong:
            raise SystemExit("fapws.contrib.gunicorn: " + "; ".join(wrong))
        Worker.__init__(self, age, ppid, sockets, app, timeout, cfg, log)
        self._draining = False
        self._access_log = None

    def init_signals(self):
        """Leave SIGTERM and SIGINT to the core, which drains at them; take the others."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGQUIT, self._quit)
        signal.signal(signal.SIGABRT, self.handle_abort)
        signal.signal(signal.SIGUSR1, self.handle_usr1)
        # gunicorn ends a worker of the generation before with SIGTERM; SIGWINCH and SIGHUP
        # are its master's.
        signal.signal(signal.SIGWINCH, self._pass)
        signal.signal(signal.SIGHUP, self._pass)

    def run(self):
        """Serve until gunicorn ends it."""
        for name, ours in _SAME.items():
            if _is_set(self.cfg, name):
                setattr(base.config, ours, _ours(name, self.cfg.settings[name].get()))
        base.config.dialect = "standard"
        base.config.multiprocess = self.cfg.workers > 1
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
        cfg = self.cfg
        if cfg.accesslog:
            self._access_log = AccessLog(application, cfg.accesslog, cfg.access_log_format)
        elif any(_is_set(cfg, name) for name in ("logconfig", "logconfig_dict", "logconfig_json")):
            self._access_log = _ByLogger(application, self.log.access_log, cfg.access_log_format)
        elif cfg.syslog and not cfg.disable_redirect_access_to_syslog:
            self._access_log = _ByLogger(application, self.log.access_log, cfg.access_log_format)
        return self._access_log or application

    def handle_usr1(self, number, frame):
        """Open the logs anew."""
        self.log.reopen_files()
        if self._access_log:
            self._access_log.reopen()

    def handle_abort(self, number, frame):
        """The heart has not beaten for `timeout` seconds: end, and log where it hung.

        Not by SystemExit, as other workers do: raised inside the application it would cost that
        request a 500, and the worker would go on.
        """
        self.alive = False
        self.cfg.worker_abort(self)
        self.log.error("Hung here:\n%s", "".join(traceback.format_stack(frame)))
        os._exit(1)

    def _beat(self):
        """The heart beats, and goes on while requests in flight are finished."""
        self.notify()
        if self._draining:
            return
        if self.ppid != os.getppid():
            self.log.info("Parent changed, shutting down: %s", self)
        elif _evwsgi.stats()["requests"] >= self.max_requests:
            self.log.info("Autorestarting worker after current request.")
        elif self.alive:  # else gunicorn's reloader has seen a change
            return
        self._draining = True
        os.kill(os.getpid(), signal.SIGTERM)

    def _quit(self, number, frame):
        """SIGQUIT: drain, and at once when it is already draining."""
        self.cfg.worker_int(self)
        os.kill(os.getpid(), signal.SIGTERM)

    def _pass(self, number, frame):
        """A signal that means nothing here."""


class _ByLogger(AccessLog):
    """An access log whose lines gunicorn's logger writes, as its configuration has it."""

    def __init__(self, application, logger, pattern):
        AccessLog.__init__(self, application, None, pattern)
        self._logger = logger

    def reopen(self):
        """The files are the logger's."""

    def write(self, entry):
        self._logger.info("%s", self.line(entry))


def _ours(name, value):
    """A value of gunicorn's as `fapws.config` has it."""
    if name in ("limit_request_line", "limit_request_fields") and value == 0:
        return float("inf")
    if name in ("forwarded_allow_ips", "proxy_allow_ips") and isinstance(value, (list, tuple)):
        return ",".join(value)
    if name == "proxy_protocol" and isinstance(value, bool):
        return "auto" if value else "off"
    return value

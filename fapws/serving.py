"""`fapws.serve` and `fapws.Server`: a server in the process that calls, without a master.

Owns the order of set-up, and how it is undone: `fapws.config` is afterwards what it was before.
Invariant: whatever is wrong with the arguments is raised in the thread that gave them.
"""

import threading

from fapws import _evwsgi, base, listening, settings
from fapws.readiness import when_ready
from fapws.server_log import ServerLog

#: One server a process: the core has one loop.
_running = threading.Lock()

#: What an argument may set, beside what the core reads.
_OWN = ("bind", "backlog", "log_level")

_unset = object()


def serve(app, bind=settings.DEFAULT_ADDRESS, threads=1, **others):
    """Serve a WSGI application in this process until SIGTERM or SIGINT ends it, or `_evwsgi.stop`.

    bind: an address as `--bind` has it, or a list of them. threads (int): calls of the application
    that may wait at a time. others: settings by name, as docs/settings.md has them; what needs a
    master, such as `workers`, is an error. May be called in a thread that is not the main one,
    where no signal ends it.

    Raises TypeError for an application that is not callable, `fapws.settings.SettingsError` (a
    ValueError) for a setting, `fapws.listening.AddressError` for an address, RuntimeError where a
    server runs in this process already.
    """
    server = Server(app, bind, threads, **others)
    server.log = ServerLog(server.settings.log_level)
    server.run()


class Server(object):
    """A server for tests and embedding. Arguments and exceptions are those of `serve`.

    As a context manager it starts and stops. `address`, once it listens, is (host, port), or the
    path of a unix socket; `addresses` has all of them.
    """

    #: Where it reports at what address it serves; nowhere by default.
    log = None

    def __init__(self, app, bind=settings.DEFAULT_ADDRESS, threads=1, **others):
        if not callable(app):
            raise TypeError("the application must be callable, not %s" % type(app).__name__)
        self._app = app
        self.settings = _settings(dict(others, bind=bind, threads=threads))
        self.settings.check()
        self._listeners = []
        self.addresses = []
        self._thread = None
        self._state = threading.Condition()
        self._serving = self._ended = self._stopping = False
        self._error = None

    @property
    def address(self):
        """The first of `addresses`, or None before it listens."""
        return self.addresses[0] if self.addresses else None

    def start(self):
        """Serve in a thread of its own; returns self once it serves. Raises what set-up raises."""
        if self._thread is not None:
            raise RuntimeError("this server was already started")
        self._listen()
        self._serving = self._ended = self._stopping = False
        self._error = None
        self._thread = threading.Thread(target=self._run_in_thread, name="fapws")
        self._thread.daemon = True
        self._thread.start()
        with self._state:
            while not (self._serving or self._ended):
                self._state.wait(3600)  # without a number Python 2 hears no Ctrl-C meanwhile
        if self._error is not None:
            error, self._error = self._error, None
            self.stop()
            raise error
        return self

    def run(self):
        """Serve in the thread that calls, until `stop` is called or a signal comes."""
        self._listen()
        if not _running.acquire(False):
            self._close()
            raise RuntimeError("a server already runs in this process")
        before, registered = {}, []
        try:
            before = _apply(self.settings.for_config())
            _evwsgi.set_base_module(base)
            _evwsgi.wsgi_gen_cb(self._app)
            when_ready(self._is_ready)
            # From here on the sockets are the core's, which closes them.
            registered, self._listeners = self._listeners, []
            for listener in registered:
                listener.register()
            _evwsgi.run()
        finally:
            self._close()
            for listener in registered:
                listener.remove()
            _restore(before)
            _running.release()
            with self._state:
                self._ended = True
                self._state.notify_all()

    def stop(self):
        """End gracefully: requests in flight are finished, for `graceful_timeout` at most. Returns
        when it has ended. May be called from any thread, and more than once.
        """
        with self._state:
            self._stopping = True
            if self._serving and not self._ended:
                _evwsgi.stop()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
            self._thread = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc_info):
        self.stop()

    def _listen(self):
        if self._listeners:
            return
        try:
            for address in self.settings.bind:
                self._listeners += listening.listen(address, self.settings.backlog)
        except BaseException:
            self._close()
            raise
        self.addresses = [listener.address for listener in self._listeners]
        if self.log:
            self.log.info("serving on %s", ", ".join(listening.shown(self._listeners)))

    def _close(self):
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.close()

    def _run_in_thread(self):
        try:
            self.run()
        except BaseException as error:
            self._error = error
            with self._state:
                self._ended = True
                self._state.notify_all()

    def _is_ready(self):
        with self._state:
            self._serving = True
            self._state.notify_all()
            if self._stopping:
                _evwsgi.stop()


def _settings(arguments):
    """The Settings that arguments say; SettingsError."""
    values = {}
    for name, value in arguments.items():
        name, value = settings.checked(name, value, "serve()")
        if name not in _OWN and not settings.TABLE[name].native:
            raise settings.SettingsError(
                "serve(): %s needs a master: python -m fapws has one" % name)
        values[name] = value
    return settings.Settings(values, {"bind": [settings.DEFAULT_ADDRESS]})


def _apply(values):
    """Set attributes of `fapws.config`; returns what they were."""
    before = {}
    for name, value in values.items():
        before[name] = getattr(base.config, name, _unset)
        setattr(base.config, name, value)
    return before


def _restore(before):
    for name, value in before.items():
        if value is _unset:
            delattr(base.config, name)
        else:
            setattr(base.config, name, value)

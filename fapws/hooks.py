"""The functions of a `--config` file that are called in the lives of master and workers.

Owns their arguments, which are gunicorn's by name: `server` and `worker`. What they do is theirs.
A hook that raises before anything serves ends what it was called for; elsewhere it is logged.

    on_starting(server)             in the master, before it listens
    when_ready(server)              it listens; no worker is forked yet
    on_reload(server)               SIGHUP; what it raises means that there is no reload
    nworkers_changed(server, new, old)
    pre_fork(server, worker)        in the master, before each fork
    child_exit(server, worker)      a worker has ended
    on_exit(server)                 the master ends
    post_fork(server, worker)       in the worker, which has its user and group already
    post_worker_init(worker)        the application is loaded: worker.wsgi
    worker_exit(server, worker)     the worker ends
"""

import os


class Cfg(object):
    """The settings in force, by our names and gunicorn's: `server.cfg.workers`."""

    def __init__(self, settings):
        self._settings = settings

    def __getattr__(self, name):
        from fapws.settings import find

        setting = find(name) if name[:1] != "_" else None
        if setting is None:
            raise AttributeError("there is no setting %s" % name)
        return getattr(self._settings, setting.name)


class ServerArgument(object):
    """A hook's `server`. pid: of the master. log: a ServerLog. cfg: a Cfg. address: what it
    listens on, a list of str. num_workers: how many workers are wanted.
    """

    def __init__(self, log, cfg):
        self.pid = os.getpid()
        self.log = log
        self.cfg = cfg
        self.address = []
        self.num_workers = cfg.workers
        self.proc_name = cfg.name or cfg.application

    def __str__(self):
        return "<server %d>" % self.pid


class WorkerArgument(object):
    """A hook's `worker`. pid: "[booting]" before the fork. age: its number in the order of forks.
    ppid: the master's. wsgi: the application, once it is loaded. log, cfg: as a server's.
    """

    def __init__(self, age, server):
        self.age = age
        self.pid = "[booting]"
        self.ppid = server.pid
        self.log = server.log
        self.cfg = server.cfg
        self.alive = True
        self.wsgi = None

    def __str__(self):
        return "<worker %s>" % self.pid


class Hooks(object):
    """Calls the hooks of a file, given as a dict, each at its time; without one nothing happens."""

    def __init__(self, functions, settings, log):
        self._functions = functions
        self._log = log
        self.server = ServerArgument(log, Cfg(settings))
        self._forking = {}
        self._own = None
        self._workers = {}

    def replace(self, functions, settings):
        """Take the hooks and settings of a reload. The server remains the same object."""
        self._functions = functions
        self.server.cfg = Cfg(settings)

    def __contains__(self, name):
        return name in self._functions

    def call(self, name, *arguments):
        """Call a hook; what it raises is the caller's."""
        function = self._functions.get(name)
        if function:
            function(*arguments)

    def _call_logged(self, name, *arguments):
        """Call a hook whose failure changes nothing."""
        try:
            self.call(name, *arguments)
        except BaseException:
            # sys.exit() included: a hook has no say in when the server ends.
            self._log.exception("the hook %s failed", name)

    # --- in the master ------------------------------------------------------------------------

    def starting(self):
        self.call("on_starting", self.server)

    def ready(self, addresses):
        self.server.address = addresses
        self._call_logged("when_ready", self.server)

    def reloading(self):
        self.call("on_reload", self.server)

    def exiting(self):
        self._call_logged("on_exit", self.server)

    def workers_changed(self, new, old):
        self.server.num_workers = new
        self._call_logged("nworkers_changed", self.server, new, old)

    def forking(self, age):
        """A worker is about to be forked, the one of this number."""
        worker = self._forking[age] = WorkerArgument(age, self.server)
        self._call_logged("pre_fork", self.server, worker)

    def forked(self, age, pid):
        """In the master: the fork has succeeded."""
        worker = self._forking.pop(age, None)
        if worker:
            worker.pid = pid
            self._workers[pid] = worker

    def not_forked(self, age):
        """In the master: it has not."""
        self._forking.pop(age, None)

    def ended(self, pid):
        """In the master: a worker has ended."""
        worker = self._workers.pop(pid, None)
        if worker:
            worker.alive = False
            self._call_logged("child_exit", self.server, worker)

    # --- in a worker --------------------------------------------------------------------------

    def in_worker(self, age):
        """This process is the worker of this number; post_fork."""
        self._own = self._forking.get(age) or WorkerArgument(age, self.server)
        self._own.pid = os.getpid()
        self.call("post_fork", self.server, self._own)

    def loaded(self, application):
        self._own.wsgi = application
        self.call("post_worker_init", self._own)

    def leaving(self):
        self._own.alive = False
        self._call_logged("worker_exit", self.server, self._own)

"""Runs one server with one application of apps/: the program of a measured process.

    python serve.py SERVER ADDRESS MODULE:NAME [threads=N] [log=FILE] [prefix=/]

ADDRESS is a port of 127.0.0.1 or the path of a unix socket. Python 2.7 and 3 read this file. It
imports what it needs to serve and nothing else, since the size of this process is one of the things
measured. Servers with a command line of their own (granian, gunicorn, uwsgi, ...) are not started
from here. Every server runs with its defaults, quietly.
"""

import os
import sys

HOST = "127.0.0.1"


def fapws(address, app, threads="1", log="", prefix=""):
    """Ours, in the standard dialect, as `python -m fapws` has it, or by `wsgi_cb` with a prefix.

    A setting that this version does not have is ignored, so that older builds can be measured
    beside newer ones: then the log is the middleware's, and one thread serves.
    """
    import fapws._evwsgi as evwsgi
    from fapws import base

    base.config.dialect = "standard"
    if int(threads) > 1:
        base.config.threads = int(threads)
        # As the command does it with threads (`fapws.process.switch_often`).
        sys.setswitchinterval(0.001)
    if log and hasattr(base.config, "access_log"):
        base.config.access_log = log
    elif log:
        from fapws.contrib.accesslog import AccessLog

        app = AccessLog(app, log)
    if address.isdigit():
        evwsgi.start(HOST, address)
    else:
        evwsgi.start(address, "unix")
    evwsgi.set_base_module(base)
    if prefix:
        evwsgi.wsgi_cb((prefix, app))
    else:
        evwsgi.wsgi_gen_cb(app)
    evwsgi.run()


def fapws_prefix(port, app):
    """Ours or the original as old deployments call it: whatever dialect its config has, one URI."""
    import fapws._evwsgi as evwsgi
    from fapws import base

    evwsgi.start(HOST, str(port))
    evwsgi.set_base_module(base)
    evwsgi.wsgi_cb(("/", app))
    evwsgi.run()


def bjoern(address, app):
    """https://pypi.org/project/bjoern"""
    import bjoern

    if address.isdigit():
        bjoern.run(app, HOST, int(address))
    else:
        bjoern.run(app, "unix:" + address)


def fastwsgi(port, app):
    """https://pypi.org/project/fastwsgi"""
    import fastwsgi

    fastwsgi.run(wsgi_app=app, host=HOST, port=int(port))


def fastpysgi(port, app):
    """https://pypi.org/project/fastpysgi"""
    import fastpysgi

    fastpysgi.run(wsgi_app=app, host=HOST, port=int(port))


def freastal(port, app):
    """https://pypi.org/project/freastal"""
    import freastal

    freastal.serve(app, host=HOST, port=int(port))


def meinheld(address, app):
    """https://pypi.org/project/meinheld"""
    from meinheld import server

    server.set_access_logger(None)
    server.set_keepalive(60)
    server.listen((HOST, int(address)) if address.isdigit() else address)
    server.run(app)


def pyruvate(address, app, threads="1"):
    """https://pypi.org/project/pyruvate"""
    import pyruvate

    where = HOST + ":" + address if address.isdigit() else address
    # It closes each connection: with `max_reuse_count` set, 1.6.1 does not respond any more.
    pyruvate.serve(app, where, int(threads))


SERVERS = {
    each.__name__: each
    for each in (
        fapws,
        fapws_prefix,
        bjoern,
        fastwsgi,
        fastpysgi,
        freastal,
        meinheld,
        pyruvate,
    )
}


def main():
    """Load the application, then serve until a signal comes."""
    server, address, target = sys.argv[1:4]
    options = dict(word.split("=", 1) for word in sys.argv[4:])
    module, name = target.split(":")
    # Not this folder: its modules are the benchmark's own.
    sys.path[0] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "apps")
    app = getattr(__import__(module), name)
    SERVERS[server](address, app, **options)


if __name__ == "__main__":
    main()

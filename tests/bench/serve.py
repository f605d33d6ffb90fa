"""Runs one server with one application of apps/: the program of a measured process.

    python serve.py SERVER PORT MODULE:NAME

Python 2.7 and 3 read it. It imports what it needs to serve and nothing else, since the size of
this process is one of the things measured. Servers with a command line of their own (granian,
gunicorn, peregrine) are not started from here. Every server runs with its defaults, quietly.
"""

import os
import sys

HOST = "127.0.0.1"


def fapws(port, app):
    """Ours, in the standard dialect, as `python -m fapws` would have it: one fallback callback."""
    import fapws._evwsgi as evwsgi
    from fapws import base

    base.config.dialect = "standard"
    evwsgi.start(HOST, str(port))
    evwsgi.set_base_module(base)
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


def bjoern(port, app):
    """https://pypi.org/project/bjoern"""
    import bjoern

    bjoern.run(app, HOST, port)


def fastwsgi(port, app):
    """https://pypi.org/project/fastwsgi"""
    import fastwsgi

    fastwsgi.run(wsgi_app=app, host=HOST, port=port)


def fastpysgi(port, app):
    """https://pypi.org/project/fastpysgi"""
    import fastpysgi

    fastpysgi.run(wsgi_app=app, host=HOST, port=port)


def freastal(port, app):
    """https://pypi.org/project/freastal"""
    import freastal

    freastal.serve(app, host=HOST, port=port)


def meinheld(port, app):
    """https://pypi.org/project/meinheld"""
    from meinheld import server

    server.set_access_logger(None)
    server.set_keepalive(60)
    server.listen((HOST, port))
    server.run(app)


SERVERS = {
    each.__name__: each
    for each in (fapws, fapws_prefix, bjoern, fastwsgi, fastpysgi, freastal, meinheld)
}


def main():
    """Load the application, then serve until a signal comes."""
    server, port, target = sys.argv[1:]
    module, name = target.split(":")
    # Not this folder: its modules are the benchmark's own.
    sys.path[0] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "apps")
    app = getattr(__import__(module), name)
    SERVERS[server](int(port), app)


if __name__ == "__main__":
    main()

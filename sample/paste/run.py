#!/usr/bin/env python
"""An application that an ini file describes (Paste Deploy), as Pylons and Pyramid projects do.

    pip install PasteDeploy
    python run.py [port]

    curl http://127.0.0.1:8080/
    curl 'http://127.0.0.1:8080/greet?who=Ada'

`development.ini` names the application, the filter around it and their settings. Whatever
`loadapp` makes of it is a WSGI application like any other.
"""
import os
import sys

import fapws._evwsgi as evwsgi
from fapws import base
from paste.deploy import loadapp

HERE = os.path.dirname(os.path.abspath(__file__))


def serve(port):
    # The ini file finds the module `greeting` in its own folder.
    sys.path.insert(0, HERE)
    application = loadapp("config:development.ini", relative_to=HERE)
    evwsgi.start("127.0.0.1", port)
    evwsgi.set_base_module(base)
    evwsgi.wsgi_cb(("", application))
    evwsgi.run()


if __name__ == "__main__":
    serve(sys.argv[1] if len(sys.argv) > 1 else "8080")

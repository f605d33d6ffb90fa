#!/usr/bin/env python
"""Old CGI scripts, in any language, next to Python applications.

    python run.py [port]

    curl 'http://127.0.0.1:8080/hellocgi/some/path?name=value'
    curl -i -d 'some words' http://127.0.0.1:8080/countcgi

The server waits while the script runs, so this suits scripts that are quick or seldom called.
"""
import os
import sys

import fapws._evwsgi as evwsgi
from fapws import base
from fapws.contrib.cgiapp import CGIApplication

HERE = os.path.dirname(os.path.abspath(__file__))


def serve(port):
    evwsgi.start("127.0.0.1", port)
    evwsgi.set_base_module(base)
    evwsgi.wsgi_cb(("/hellocgi", CGIApplication(os.path.join(HERE, "hello.cgi"))))
    evwsgi.wsgi_cb(("/countcgi", CGIApplication(os.path.join(HERE, "count.cgi"))))
    evwsgi.run()


if __name__ == "__main__":
    serve(sys.argv[1] if len(sys.argv) > 1 else "8080")

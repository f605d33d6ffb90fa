#!/usr/bin/env python
"""The hello program on a unix socket, for a proxy on the same machine.

    python hello_world.py [path]

    curl --unix-socket /tmp/fapws-hello.sock http://localhost/hello

A path whose first character is `@` becomes a socket in Linux's abstract namespace, which needs no
file and vanishes with the server:

    python hello_world.py @fapws-hello
    curl --abstract-unix-socket fapws-hello http://localhost/hello
"""
import os
import stat
import sys

import fapws._evwsgi as evwsgi
from fapws import base


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello from a socket in the file system!"]


def remove_stale_socket(path):
    """A server that was killed leaves its socket behind, and nobody can bind to that path again."""
    if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
        os.unlink(path)


def serve(path):
    if path.startswith("@"):
        path = "\0" + path[1:]
    else:
        remove_stale_socket(path)
    evwsgi.start(path, "unix")
    evwsgi.set_base_module(base)
    evwsgi.wsgi_cb(("/hello", hello))
    evwsgi.run()


if __name__ == "__main__":
    serve(sys.argv[1] if len(sys.argv) > 1 else "/tmp/fapws-hello.sock")

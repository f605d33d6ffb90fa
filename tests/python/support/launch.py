"""Serves one application of tests/apps: the program of a server subprocess, on Python 2.7 and 3.

    python launch.py APP READY [--host H] [--port P] [--config JSON]

APP is a file that defines `register(evwsgi, base)`, which registers its callbacks. When the server
listens, where is written to the file READY as JSON: `[host, port]`, or the name of a unix socket.
When `run` returns, a line says so and the program ends with code 0.

It imports `fapws` and nothing of the support code, so the pristine package is served by it as well.
"""

from __future__ import print_function

import argparse
import json
import os
import socket
import sys

parser = argparse.ArgumentParser()
parser.add_argument("app")
parser.add_argument("ready")
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--port", default="0")
parser.add_argument("--config", default="{}", help="attributes of fapws.config, as JSON")


def load(path):
    """Run the application's file as a module named `app` and return its names."""
    names = {"__name__": "app", "__file__": path}
    with open(path, "rb") as source:
        exec(compile(source.read(), path, "exec"), names)
    return names


def listening_address(descriptor):
    """Where the socket `descriptor` listens, as the JSON file tells it."""
    # On Linux getsockname gives the address whatever family the wrapper was made with; this
    # family's addresses are the longest, and room for a shorter one would cut others off.
    wrapper = socket.fromfd(descriptor, socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        address = wrapper.getsockname()
    finally:
        wrapper.close()
    if isinstance(address, tuple):
        return list(address[:2])
    return address if isinstance(address, str) else address.decode("latin-1")


def main():
    """Serve until a signal ends `run`."""
    arguments = parser.parse_args()
    # Imports of the application are its neighbours, not the support code's.
    sys.path[0] = os.path.dirname(os.path.abspath(arguments.app))

    import fapws._evwsgi as evwsgi
    from fapws import base

    for name, value in json.loads(arguments.config).items():
        setattr(base.config, name, value)
    app = load(arguments.app)
    evwsgi.start(arguments.host, arguments.port)
    evwsgi.set_base_module(base)
    app["register"](evwsgi, base)
    with open(arguments.ready + ".part", "w") as ready:
        json.dump(listening_address(evwsgi.socket_fd()), ready)
    os.rename(arguments.ready + ".part", arguments.ready)
    if sys.stdout:  # None where it was closed
        sys.stdout.flush()
    evwsgi.run()
    print("run() returned")


if __name__ == "__main__":
    main()

"""Several processes on one socket: `start`, `fork`, `run` in each child.

Parameter: how many children. `/hold` keeps its child busy until the file `release` is there, so
that the next request must be another child's.
"""
import os
import sys
import time

import fapws._evwsgi as evwsgi
from fapws import base

from channel import listen, report


def hold(environ, start_response):
    """Busy, for at most a minute."""
    report("holding", pid=os.getpid())
    for _ in range(6000):
        if os.path.exists("release"):
            break
        time.sleep(0.01)
    return [str(os.getpid()).encode("ascii")]


def who(environ, start_response):
    """Which child answers."""
    return [str(os.getpid()).encode("ascii")]


listen(evwsgi)
evwsgi.set_base_module(base)
evwsgi.wsgi_cb(("/hold", hold))
evwsgi.wsgi_cb(("/who", who))
children = []
for _ in range(int(sys.argv[1])):
    child = os.fork()
    if child == 0:
        evwsgi.run()
        sys.stdout.flush()
        os._exit(0)
    children.append(child)
report("children", pids=children)
codes = [os.waitpid(child, 0)[1] for child in children]
report("ended", codes=codes)

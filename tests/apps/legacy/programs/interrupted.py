"""SIGINT ends `run` with a word, and the program goes on after `run`."""
import os
import signal

import fapws._evwsgi as evwsgi
from fapws import base


def interrupt():
    """The end."""
    print("interrupt")
    os.kill(os.getpid(), signal.SIGINT)


kept = [(0.05, interrupt)]
print("before start")
evwsgi.start("127.0.0.1", "0")
print("before run")
evwsgi.set_base_module(base)
for timer in kept:
    evwsgi.add_timer(*timer)
print(evwsgi.run())
print("after run")

"""Objects whose methods do anything, by the seed that the query names: one request, one plan."""

import os
import random
import resource
import sys
import threading

from deeds import PLAIN, Deeds, respond, wait_for_kept

ROOM = 48 << 20


def application(environ, start_response):
    if environ["PATH_INFO"] == "/hello":
        start_response("200 OK", list(PLAIN))
        return [b"hello"]
    draw = random.Random(int(environ["QUERY_STRING"]))
    try:
        return respond(Deeds(draw, environ, start_response))
    finally:
        wait_for_kept(8)


def addresses():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


def limit():
    """Few addresses, where the test says so; by themselves threads have 8 MiB each.

    glibc reserves 64 MiB for a thread's own allocations. If the monitor comes to its first one
    between the look and the limit, there is another look; behind the limit it gets none.
    """
    threading.stack_size(512 << 10)
    most = 0
    while most < addresses() + ROOM:
        most = addresses() + ROOM
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def register(evwsgi, base):
    Deeds.evwsgi, Deeds.base = evwsgi, base
    evwsgi.wsgi_gen_cb(application)
    if os.environ.get("ANYWHERE_LIMIT"):
        evwsgi.on_ready(limit)
    getattr(sys, "setswitchinterval", sys.getsizeof)(0.0005)

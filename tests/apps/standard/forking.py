"""Applications that fork while the monitor sends what they have given."""
import os
import time

PLAIN = [("Content-Type", "text/plain")]
ITEM = b"x" * 1000
TIMES = 40
state = {}


def leave(way, write):
    """What the child does."""
    if way == "write":
        write(b"a word of the child's")
    elif way == "stats":
        state["evwsgi"].stats()
    elif way == "log":
        state["evwsgi"].reopen_access_log()
    os._exit(0)


def give_and_fork(give, way, write):
    for _ in range(TIMES):
        give(ITEM)
        # The monitor comes in the middle of it, now before and now after the fork.
        time.sleep(0.0007)
        child = os.fork()
        if child == 0:
            leave(way, write)
        os.waitpid(child, 0)


def items(way):
    for _ in range(TIMES):
        yield ITEM
        child = os.fork()
        if child == 0:
            if way == "return":
                return
            leave(way, None)
        os.waitpid(child, 0)
        time.sleep(0.0007)


def application(environ, start_response):
    path, way = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path == "/":
        start_response("200 OK", PLAIN)
        return [("%d" % os.getpid()).encode("ascii")]
    if path == "/items":
        start_response("200 OK", PLAIN)
        return items(way)
    write = start_response("200 OK", PLAIN)
    give_and_fork(write, way, write)
    return []


def register(evwsgi, base):
    state["evwsgi"] = evwsgi
    evwsgi.wsgi_cb(("/", application))
    if os.environ.get("FORKED_BEFORE_RUN") and os.fork() == 0:
        evwsgi.run()
        os._exit(0)

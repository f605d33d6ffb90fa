"""Applications that wait, and say in which thread they ran.

`flag` in a query is the path of a file that the client makes when they may go on.
"""
import os
import resource
import signal
import sqlite3
import sys
import threading
import time

from journal import record
from waiting import PLAIN, hello, seen


SIGNALLED = []
STARTED = []


def wait(environ, start_response):
    """`/wait?flag`"""
    record("wait", environ["QUERY_STRING"])
    record("threads", threading.current_thread().name)
    found = seen(environ["QUERY_STRING"])
    start_response("200 OK", PLAIN)
    return [b"seen" if found else b"unseen"]


def multithread(environ, start_response):
    start_response("200 OK", PLAIN)
    return [str(environ["wsgi.multithread"]).encode()]


class Rows(object):
    """Rows of a database whose connection belongs to the thread that made it."""

    def __init__(self, flag):
        self.flag = flag
        self.database = sqlite3.connect(":memory:")
        self.database.execute("create table rows (number)")
        self.count = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.count += 1
        if self.count > 5:
            raise StopIteration
        self.database.execute("insert into rows values (?)", (self.count,))
        if self.count == 2 and not seen(self.flag):
            return b"unseen"
        return b"%d" % self.count + b"x" * 70000

    def close(self):
        (count,) = self.database.execute("select count(*) from rows").fetchone()
        self.database.close()
        record("rows", count)


def rows(environ, start_response):
    """`/rows?flag`: five large items from a database, a wait before the second."""
    start_response("200 OK", PLAIN)
    return Rows(environ["QUERY_STRING"])


def large(environ, start_response):
    """Twenty items of a million bytes, each as soon as the one before is taken."""
    start_response("200 OK", [("Content-Length", "20000000")])
    for _ in range(20):
        yield b"l" * 1000000


def later(environ, start_response):
    """`/later?flag`: a byte, a wait, and twenty items of a million bytes."""
    start_response("200 OK", [("Content-Length", "20000001")])
    yield b"1"
    seen(environ["QUERY_STRING"])
    for _ in range(20):
        yield b"l" * 1000000


def defer(environ, start_response):
    """`/defer?flag`: two deferred calls, of which the first waits."""
    flag = environ["QUERY_STRING"]

    def first(argument):
        record("deferred", "first")
        seen(flag)
        record("deferred", "first ends")

    EVWSGI.defer(first, None, False)
    EVWSGI.defer(lambda argument: record("deferred", "second"), None, False)
    start_response("200 OK", PLAIN)
    return [b"deferred"]


def timers(environ, start_response):
    """`/timers?flag`: a timer of a millisecond that waits, and one that does not."""
    flag = environ["QUERY_STRING"]

    def slow():
        record("timers", "slow")
        seen(flag)
        record("timers", "slow ends")
        return False

    def quick():
        record("timers", "quick")
        return False

    EVWSGI.add_timer(0.001, slow)
    EVWSGI.add_timer(0.002, quick)
    start_response("200 OK", PLAIN)
    return [b"started"]


class Forking(bytes):
    """Forks when it is dropped, and lets the child come back to the server."""

    def __del__(self):
        child = os.fork()
        if child:
            record("forked", child)


def fork(environ, start_response):
    """`/fork?flag`"""
    seen(environ["QUERY_STRING"])
    start_response("200 OK", PLAIN)
    return [Forking(b"x" * 1000000)]


def ended(environ, start_response):
    """`/ended?child`: how it has ended."""
    pid, status = os.waitpid(int(environ["QUERY_STRING"]), os.WNOHANG)
    start_response("200 OK", PLAIN)
    return [b"ended with %d" % status if pid else b"lives"]


def leave(environ, start_response):
    """`/exit?flag`"""
    seen(environ["QUERY_STRING"])
    sys.exit(3)


def interrupt(environ, start_response):
    """`/interrupt?flag`"""
    seen(environ["QUERY_STRING"])
    raise KeyboardInterrupt


def never(environ, start_response):
    """Does not return."""
    record("never", threading.current_thread() is threading.main_thread())
    while True:
        time.sleep(1)


def limit(environ, start_response):
    """`/limit`: from now on the process has room for no thread's stack."""
    with open("/proc/self/statm") as statm:
        most = int(statm.read().split()[0]) * resource.getpagesize() + (4 << 20)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    start_response("200 OK", PLAIN)
    return [b"limited"]


def limit_recorded(environ, start_response):
    """`/limit-recorded`: the same in a program that keeps each thread that it sees start."""
    start = threading.Thread.start

    def recorded(thread):
        STARTED.append(thread)
        start(thread)

    threading.Thread.start = recorded
    return limit(environ, start_response)


def lift(environ, start_response):
    """`/lift`: what `/limit` set is over."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    start_response("200 OK", PLAIN)
    return [b"lifted"]


def limit_processes():
    """The user may have no more processes and threads. Root may always: it becomes nobody."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def limit_user(environ, start_response):
    """`/limit-user`"""
    limit_processes()
    start_response("200 OK", PLAIN)
    return [b"limited"]


def handle(number, frame):
    """SIGUSR1 makes the file that `/signalled?file` named."""
    open(SIGNALLED[-1], "w").close()


def signalled(environ, start_response):
    SIGNALLED.append(environ["QUERY_STRING"])
    start_response("200 OK", PLAIN)
    return [b"named"]


def names(environ, start_response):
    start_response("200 OK", PLAIN)
    return [",".join(sorted(each.name for each in threading.enumerate())).encode()]


def journal(environ, start_response):
    import journal as pages

    return pages.ROUTES["/journal"](environ, start_response)


ROUTES = {"/": hello, "/wait": wait, "/multithread": multithread, "/rows": rows,
          "/large": large, "/later": later, "/names": names, "/defer": defer, "/timers": timers,
          "/fork": fork, "/ended": ended, "/exit": leave, "/interrupt": interrupt,
          "/never": never, "/limit": limit, "/lift": lift, "/limit-user": limit_user,
          "/limit-recorded": limit_recorded,
          "/signalled": signalled, "/journal": journal}


def application(environ, start_response):
    return ROUTES[environ["PATH_INFO"]](environ, start_response)


def register(evwsgi, base):
    global EVWSGI
    EVWSGI = evwsgi
    signal.signal(signal.SIGUSR1, handle)
    if os.environ.get("LIMITED"):
        limit_processes()
    evwsgi.wsgi_cb(("/", application))

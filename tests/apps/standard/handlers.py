"""Applications that change what signals do, or look at that.

`flag` in a query is the path of a file that the client makes when the application may go on; the
application makes one with `-began` behind when it waits. None waits longer than fifty seconds.
"""
import os
import signal
import time

PLAIN = [("Content-Type", "text/plain")]
PATIENCE = 50
ENDINGS = (signal.SIGINT, signal.SIGTERM)


def wait(flag):
    open(flag + "-began", "w").close()
    deadline = time.time() + PATIENCE
    while time.time() < deadline and not os.path.exists(flag):
        try:
            time.sleep(0.001)
        except EnvironmentError:
            pass  # Python 2: a signal came
    return "seen"


def nap(seconds):
    """Sleep in short pieces: a signal just before a sleep does not cut it short, on any Python."""
    deadline = time.time() + seconds
    while time.time() < deadline:
        time.sleep(0.01)


def asyncio_run(query):
    """A program of asyncio's, once."""
    import asyncio

    async_sleep = asyncio.sleep(0)
    asyncio.run(async_sleep)
    return "ran"


def restore(query):
    """What a library does that wants to be left alone for a moment."""
    for number in ENDINGS:
        before = signal.signal(number, signal.SIG_DFL)
        signal.signal(number, before)
    return "restored"


def address(query):
    """Which handlers the kernel knows."""
    import ctypes

    found = []
    for number in ENDINGS:
        action = (ctypes.c_void_p * 64)()
        ctypes.CDLL(None).sigaction(int(number), None, action)
        found.append(str(action[0]))
    return " ".join(found)


def known(query):
    """Which ones Python knows."""
    return " ".join(type(signal.getsignal(number)).__name__ for number in ENDINGS)


def own(query):
    """A handler of the program's own from now on, which makes a file."""
    signal.signal(signal.SIGTERM, lambda number, frame: open(query, "w").close())
    return "own"


def over(query):
    """One that calls the one before it."""
    before = signal.getsignal(signal.SIGTERM)

    def handler(number, frame):
        open(query, "w").close()
        before(number, frame)

    signal.signal(signal.SIGTERM, handler)
    return "over"


def child(query):
    """How a child ends that is sent a signal."""
    started = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.write(started[1], b"x")
            nap(PATIENCE)
        except KeyboardInterrupt:
            os._exit(3)
        os._exit(4)
    os.read(started[0], 1)
    os.kill(process, int(query))
    status = os.waitpid(process, 0)[1]
    for end in started:
        os.close(end)
    if os.WIFSIGNALED(status):
        return "signal %d" % os.WTERMSIG(status)
    return "code %d" % os.WEXITSTATUS(status)


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/")
    body = globals()[name](environ["QUERY_STRING"])
    start_response("200 OK", PLAIN)
    return [body.encode("ascii")]


def register(evwsgi, base):
    evwsgi.wsgi_cb(("/", application))

"""The plans of deeds.py for a server with threads, and more of them: Python 3 alone.

`/?SEED` does what the seed says; `/outcome?SEED` has what may have cost the client its response.
`/account` has what is left of the objects that plans made, deferred calls that were not made just
once, and what was seen that must not be. `/stop?SEED` ends the run from where the seed says.
"""

import collections
import faulthandler
import gc
import itertools
import json
import os
import random
import signal
import socket
import sys
import threading
import time

from deeds import KEPT, PLAIN, Deeds, Planned, Result, quietly, respond, wait_for_kept

NUMBERS = itertools.count()

#: Objects that plans made and nobody dropped, by numbers; a set's methods are one step each.
ALIVE = {}

#: By seed, words that say why a client may not have a whole response.
OUTCOMES = collections.defaultdict(set)

#: What was seen that must not be.
VIOLATIONS = []

#: How often each deferred call was made.
DEFERRED = {}

#: What a process does so often at most, as it lasts until the end of the run.
LEFT = {"listen": 4, "adopt": 4, "timer": 12, "fork": 40}

HERE = threading.local()


def spend(what):
    """Whether it may be done once more."""
    LEFT[what] -= 1
    return LEFT[what] >= 0


class Tracked(object):
    """What has to be gone at the end."""

    def __init__(self, name):
        self.number = next(NUMBERS)
        ALIVE[self.number] = name

    def __del__(self):
        ALIVE.pop(self.number, None)


class OneAtATime(object):
    """Timers and deferred calls never overlap, whichever threads make them."""

    inside = []

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.inside.append(self.name)
        if len(self.inside) > 1:
            VIOLATIONS.append("beside one another: %s" % self.inside)

    def __exit__(self, *_):
        self.inside.remove(self.name)


class Deferred(object):
    """A deferred call, with an argument that may be compared."""

    def __init__(self, deeds):
        self.deeds, self.tracked, self.number = deeds, Tracked("deferred"), next(NUMBERS)
        DEFERRED[self.number] = 0

    def __call__(self, argument):
        with OneAtATime("deferred %d" % self.number):
            DEFERRED[self.number] += 1
            self.deeds.do()

    def __eq__(self, other):
        quietly(self.deeds.do)
        return self is other

    __hash__ = None


class Timer(object):
    """A timer's callback, which the module keeps for ever: what it has is not tracked."""

    def __init__(self, seed):
        self.deeds = Anything(random.Random(seed))
        self.name = "timer %d" % next(NUMBERS)

    def __call__(self):
        with OneAtATime(self.name):
            self.deeds.budget = 2
            self.deeds.do()
            return self.deeds.random.random() > 0.1


class Rows(Result):
    """What a database gives belongs to the thread that asked."""

    def __init__(self, deeds, items):
        Result.__init__(self, deeds, items)
        self.thread, self.tracked = threading.get_ident(), Tracked("result")

    def check(self, where):
        if self.thread != threading.get_ident():
            VIOLATIONS.append("%s in another thread" % where)

    def __iter__(self):
        self.check("iter()")
        for item in Result.__iter__(self):
            self.check("next()")
            yield item

    def close(self):
        self.check("close()")
        Result.close(self)


class Anything(Deeds):
    """What a program with threads may do besides."""

    #: Of the request, where there is one.
    seed = None

    def __init__(self, draw, environ=None, start_response=None):
        Deeds.__init__(self, draw, environ or {}, start_response)

    @classmethod
    def of_request(cls, environ, start_response):
        """What the query says."""
        seed = environ["QUERY_STRING"]
        deeds = cls(random.Random(int(seed)), environ, start_response)
        deeds.seed, deeds.tracked = seed, Tracked("deeds")
        # That of an environ that is never dropped is found too.
        environ["anywhere.tracked"] = Tracked("environ")
        return deeds

    def costs(self, word):
        """The response may be cut, or be that of a failure."""
        if self.seed is not None:
            OUTCOMES[self.seed].add(word)

    def do(self):
        before, HERE.deeds = getattr(HERE, "deeds", None), self
        try:
            Deeds.do(self)
        finally:
            HERE.deeds = before

    def wait(self):
        time.sleep(0.012)

    def compute(self):
        end = time.monotonic() + 0.012
        while time.monotonic() < end:
            sum(range(100))

    def defer(self):
        self.evwsgi.defer(Deferred(self), "x", self.random.random() < 0.3)

    def time(self):
        if spend("timer"):
            self.evwsgi.add_timer(self.random.choice([0, 0.001, 0.02]), Timer(self.random.random()))

    def stop_a_timer(self):
        try:
            self.evwsgi.stop_timer(self.random.randrange(-1, 8))
        except IndexError:
            pass

    def restart_a_timer(self):
        self.evwsgi.restart_timer(self.random.randrange(-1, 8))

    def ask_the_core(self):
        core = self.evwsgi
        self.random.choice([
            core.stats, core.slot_fields, core.get_debug, core.libev_version, core.defer_queue_size,
            core.socket_fd, core.reopen_access_log, lambda: core.set_debug(0),
            lambda: core.rfc1123_date(self.random.random() * 2e9),
            lambda: core.parse_query("a=1&b=2&a=%00"),
            lambda: core.on_ready(None), lambda: core.on_ready(core.stats),
        ])()  # fmt: skip

    def listen(self):
        if spend("listen"):
            self.evwsgi.start("127.0.0.1", "0")

    def adopt(self):
        if spend("adopt"):
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            self.evwsgi.start_fd(listener.detach())

    def share_badly(self):
        try:
            self.evwsgi.share(-1, 0)
        except self.evwsgi.error:
            pass

    def register(self):
        self.evwsgi.wsgi_cb(("/extra%d" % self.random.randrange(9), Application()))

    def register_anew(self):
        self.evwsgi.set_base_module(self.base)

    def replace_the_application(self):
        self.evwsgi.wsgi_gen_cb(Application())

    def start_again(self):
        try:
            self.start_response("200 Again", list(PLAIN))
            self.costs("again")
        except Exception:
            pass

    def raise_one(self):
        self.costs("raised")
        raise self.random.choice([Planned, KeyboardInterrupt, SystemExit])

    def fork(self):
        """The child comes back to the server, or leaves."""
        if spend("fork"):
            leaves = self.random.random() < 0.5
            child = os.fork()
            if not child and leaves:
                os._exit(0)
            if child:
                KEPT.append(child)

    def complain(self):
        errors = self.environ.get("wsgi.errors", sys.stderr)
        errors.write("")

    def signal(self):
        os.kill(os.getpid(), signal.SIGUSR1)

    def read(self):
        if "wsgi.input" in self.environ:
            Deeds.read(self)

    def write_in_a_thread(self):
        if self.environ.get("anywhere.write"):
            self.costs("wrote")
            Deeds.write_in_a_thread(self)

    def do_in_a_thread(self):
        thread = threading.Thread(target=lambda: quietly(self.do))
        thread.start()
        KEPT.append(thread)

    def close(self):
        """Its end, in an object that only the collector can drop."""
        circle = [self]
        circle.append(circle)

    ALL = [
        Deeds.collect, Deeds.give_way, Deeds.give_way, wait, wait, compute, defer, defer, time,
        stop_a_timer, restart_a_timer, ask_the_core, ask_the_core, listen, adopt, share_badly,
        register, register_anew, replace_the_application, start_again, raise_one, fork,
        Deeds.run_again, complain, signal, read, Deeds.patch, write_in_a_thread, do_in_a_thread,
        close,
    ]  # fmt: skip


class Loud(object):
    """A stderr whose `write` does something."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        deeds = getattr(HERE, "deeds", None)
        if deeds and deeds.budget:
            quietly(deeds.do)
        return self.stream.write(text)


def handle(number, frame, draw=random.Random(0)):  # noqa: B008
    """Runs in the main thread, wherever that is. An exception would be the application's there."""
    quietly(Anything(draw).do)


class Application(object):
    """Whatever is registered is an object that says when it is dropped."""

    def __init__(self):
        self.tracked = Tracked("application")

    def __call__(self, environ, start_response):
        return dispatch(environ, start_response)

    def __del__(self):
        quietly(self.evwsgi.stats)


def plan(environ, start_response):
    try:
        return respond(Anything.of_request(environ, start_response), Rows)
    finally:
        wait_for_kept(8)


def stop(environ, start_response):
    """As a plan; and `stop()`, from the place that the seed says."""
    seed = int(environ["QUERY_STRING"])
    ends = [
        lambda: Deeds.evwsgi.stop(),
        lambda: Deeds.evwsgi.defer(lambda _: Deeds.evwsgi.stop(), None, False),
        lambda: Deeds.evwsgi.add_timer(0.001, Deeds.evwsgi.stop),
        lambda: threading.Thread(target=Deeds.evwsgi.stop).start(),
        lambda: os.kill(os.getpid(), signal.SIGTERM),
    ]
    ends[seed % len(ends)]()
    start_response("200 OK", list(PLAIN))
    return [b"stopping"]


def hello(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return [b"hello"]


def give_json(start_response, value):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(value).encode()]


def outcome(environ, start_response):
    return give_json(start_response, sorted(OUTCOMES[environ["QUERY_STRING"]]))


def settle(environ, start_response):
    """From now on nothing but deferred calls goes on: timers are stopped, threads joined."""
    wait_for_kept(0)
    try:
        for index in itertools.count():
            Deeds.evwsgi.stop_timer(index)
    except IndexError:
        pass
    return give_json(start_response, "settled")


def account(environ, start_response):
    # Plans whose clients have left may have registered more.
    Deeds.evwsgi.set_base_module(Deeds.base)
    Deeds.evwsgi.wsgi_gen_cb(dispatch)
    for _ in range(3):
        gc.collect()
    made = sorted(DEFERRED.items())
    return give_json(start_response, {
        "left": collections.Counter(list(ALIVE.values())),
        "due": [number for number, times in made if times == 0],
        "made twice": [number for number, times in made if times > 1],
        "violations": VIOLATIONS,
    })  # fmt: skip


def dispatch(environ, start_response):
    return PAGES.get(environ["PATH_INFO"], plan)(environ, start_response)


PAGES = {
    "/hello": hello,
    "/outcome": outcome,
    "/settle": settle,
    "/account": account,
    "/stop": stop,
}


def register(evwsgi, base):
    Deeds.evwsgi, Deeds.base = evwsgi, base
    Application.evwsgi = evwsgi
    evwsgi.wsgi_gen_cb(Application())
    signal.signal(signal.SIGUSR1, handle)
    # For the test, where a client waits in vain: what every thread does.
    faulthandler.register(signal.SIGUSR2, sys.__stderr__, all_threads=True)
    sys.stderr = Loud(sys.stderr)
    sys.setswitchinterval(0.0005)

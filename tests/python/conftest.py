"""Fixtures of the whole suite: the interpreters under test, and servers that are always ended.

A test that takes `interpreter` (or `serve`, which does) runs once for each interpreter picked by
`support.interpreters`, or on fewer where it is marked `wire` or `each_major`; one that takes
`dialect` runs for both dialects.

`wire` is for what no interpreter does in its own way: bytes and limits, timeouts, sockets, files,
which processes the command has, samples, documents. What concerns the life of objects, exceptions,
text and bytes, threads, signals, forks, the recognition of base.py, installation or parity with the
original runs on each, and so does something of each part that is Python source of one kind for all.

`each_major` is for what Python 2 does in its own way and every 3 in the same: text and bytes, the
contract with the original, Python source with a line for each of the two. The core's use of the
interpreter differs from one 3 to the next, and what tests that runs on each: `in_process`, the life
of objects, faults, forks, threads, one file at least of every folder.

`long` is for what takes some seconds: these begin first, the longest before the others, so that no
test process has some of them left when the others have none.

`make test-all` runs every test on every Python.

`python2`, `pristine` and `pristine_built` skip where there is no Python 2.7, loudly; with CI set
that is a failure.
"""

import functools

import pytest
from support import environment, forks, interpreters, unavailable
from support import pristine as original
from support.process import catch_ignored_signals
from support.server import Server

NO_PYTHON_2 = "no Python 2.7 among the interpreters under test: nothing is tested on it"


def pytest_configure():
    """Started in the background, the suite still starts its servers as in the foreground."""
    catch_ignored_signals()


def pytest_sessionfinish():
    """Nothing of the suite stays behind."""
    forks.close()


def pytest_terminal_summary(terminalreporter):
    """Say what was tested with, and what was not."""
    names = [".".join(map(str, each.version)) for each in interpreters.selected()]
    terminalreporter.write_line("servers ran on Python " + ", ".join(names))
    # Who chose the interpreters knows.
    if not (_python_2() or interpreters.are_chosen()):
        terminalreporter.write_sep("!", NO_PYTHON_2, yellow=True)


def pytest_generate_tests(metafunc):
    """Run a test that takes `interpreter` once for each that `interpreters` chooses for it."""
    if "interpreter" in metafunc.fixturenames:
        chosen = interpreters.chosen_for(metafunc.definition)
        ids = [each.name for each in chosen]
        metafunc.parametrize("interpreter", chosen, ids=ids, indirect=True, scope="session")


# After pytest has put those together that share an interpreter, or a server.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Each test process has its share of what takes long, and then of the others, in their order.

    pytest-xdist gives each as many, in order (and lets it steal afterwards).
    """
    processes = getattr(config, "workerinput", {}).get("workercount", 1)
    others = [item for item in items if not _seconds(item)]
    of_all = sorted(filter(_seconds, items), key=_seconds, reverse=True)
    count, end, items[:] = len(items), 0, []
    for number in range(processes):
        end += (count - end) // (processes - number)
        items += of_all[number::processes]
        room = max(0, end - len(items))
        items += others[:room]
        del others[:room]
    items += others


def _seconds(item):
    mark = item.get_closest_marker("long")
    return mark.args[0] if mark else 0


@pytest.fixture(scope="session")
def interpreter(request):
    """The `Environment` of one interpreter under test, with the package installed."""
    return environment.installed(request.param)


@pytest.fixture(scope="session")
def python2():
    """The `Environment` of Python 2.7, for tests of that version alone."""
    return environment.installed(_python_2() or unavailable(NO_PYTHON_2))


@pytest.fixture(scope="session")
def python3():
    """The `Environment` of the newest Python 3 under test."""
    return environment.installed(interpreters.selected()[-1])


@pytest.fixture(scope="session")
def pristine():
    """The folder of the original Fapws3's source, unpacked and unbuilt."""
    return original.unpacked(_python_2() or unavailable(NO_PYTHON_2))


@pytest.fixture(scope="session")
def pristine_built():
    """An `Environment` of Python 2.7 with the original Fapws3 compiled and installed."""
    return original.built(_python_2() or unavailable(NO_PYTHON_2))


@pytest.fixture(params=["legacy", "standard"])
def dialect(request):
    """Each dialect of the server."""
    return request.param


@pytest.fixture
def start_process(tmp_path):
    """A function that starts a `support.process.Process`, or a class derived from it, in a folder.

    `start_process(kind, *arguments, **options)` calls `kind(*arguments, folder=..., **options)`.
    What the test leaves running is stopped afterwards with SIGTERM, and must then end with code 0
    and without a word of a crash.
    """
    started = []

    def start(kind, *arguments, **options):
        process = kind(*arguments, folder=tmp_path / f"process{len(started)}", **options)
        try:
            process.start()
        except BaseException:
            process.kill()
            raise
        started.append(process)
        return process

    yield start
    # The last first: a server waits a second for what a proxy before it may send on a connection
    # that is kept.
    left_running = [process for process in reversed(started) if process.outcome is None]
    try:
        for process in left_running:
            process.stop().check()
    finally:
        for process in left_running:
            if process.alive:
                process.kill()


@pytest.fixture
def start_server(start_process):
    """`start_server(environment, app, **options)` starts a `support.server.Server`, and ends it."""
    return functools.partial(start_process, Server)


@pytest.fixture
def serve(interpreter, start_server):
    """`start_server` in the interpreter under test: `serve("hello.py", dialect="legacy")`."""

    return functools.partial(start_server, interpreter)


def _python_2():
    return next((each for each in interpreters.selected() if each.version[0] == 2), None)

"""--preload: a template process loads the application once, and forks the workers."""

import os
import signal

import pytest
from command import HELLO, served_by, write
from load import under_load
from support.process import wait_until

#: Says, too, in which process the application was loaded.
LOADED = """
    import os, threading, time
    LOADED_BY = os.getpid()
    VERSION = "one"
    open("loaded-%d" % os.getpid(), "w").close()

    def app(environ, start_response):
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/loaded":
            return [("%d %d" % (os.getppid(), LOADED_BY)).encode("ascii")]
        return [("%d %s" % (os.getpid(), VERSION)).encode("ascii")]
"""


@pytest.fixture
def preloaded(run_command, home):
    """`preloaded("--workers", 2)`: a server whose application is loaded once."""
    write(home, loaded=LOADED)
    return lambda *arguments: run_command("loaded:app", "--preload", *arguments)


def loaded_by(home):
    """The processes that have loaded the application."""
    return {int(path.name.partition("-")[2]) for path in home.glob("loaded-*")}


def workers_of(command, count):
    """Wait until this many processes serve; returns them."""
    def serving():
        found = {served_by(command.get("/"))[0] for _ in range(20 * count)}
        return len(found & command.workers) >= count and found

    return wait_until(serving, f"{count} workers")


def test_the_application_is_loaded_once_and_never_by_the_master(preloaded, home):
    command = preloaded("--workers", 3)
    workers = workers_of(command, 3)
    (template,) = loaded_by(home)
    assert template != command.pid and template not in workers
    parent, loader = map(int, command.get("/loaded").body.split())
    # The master watches the workers as if it had forked them.
    assert (parent, loader) == (command.pid, template)
    assert command.workers == workers | {template}


@pytest.mark.wire
def test_a_worker_that_dies_comes_from_the_same_template(preloaded, home):
    command = preloaded("--workers", 2)
    before = workers_of(command, 2)
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    command.wait_for_output(f"worker {victim} ended (signal 9) and is replaced", "stderr")
    after = wait_until(lambda: workers_of(command, 2) - before, "a worker in its place")
    assert len(after) == 1
    assert len(loaded_by(home)) == 1


@pytest.mark.wire
def test_workers_outlive_their_template_and_another_one_is_made(preloaded, home):
    command = preloaded("--workers", 2)
    before = workers_of(command, 2)
    (template,) = loaded_by(home)
    with under_load(command.address, True):
        os.kill(template, signal.SIGKILL)
        wait_until(lambda: len(loaded_by(home)) == 2, "another template")
    assert workers_of(command, 2) == before
    os.kill(min(before), signal.SIGKILL)
    wait_until(lambda: workers_of(command, 2) - before, "a worker from the new template")


def test_a_reload_takes_new_source(preloaded, home):
    command = preloaded("--workers", 2)
    before = workers_of(command, 2)
    with under_load(command.address, True):
        write(home, loaded=LOADED.replace('"one"', '"two"'))
        command.send_signal(signal.SIGHUP)
        command.wait_for_output("reloaded: 2 new workers serve", "stderr")
        wait_until(lambda: not before & command.workers, "the old workers to end")
    assert served_by(command.get("/"))[1] == "two"
    old, new = sorted(loaded_by(home))
    wait_until(lambda: len(command.workers & {old, new}) == 1, "the old template to end")


@pytest.mark.wire
def test_a_reload_that_fails_leaves_the_old_workers(preloaded, home):
    command = preloaded("--workers", 2)
    before = workers_of(command, 2)
    write(home, loaded="def (")
    command.send_signal(signal.SIGHUP)
    command.wait_for_output("the new workers do not start: the old ones continue", "stderr")
    assert workers_of(command, 2) == before
    # Their template has the source that works.
    os.kill(min(before), signal.SIGKILL)
    wait_until(lambda: workers_of(command, 2) - before, "a worker in its place")
    assert served_by(command.get("/"))[1] == "one"


@pytest.mark.wire
def test_what_cannot_be_loaded_is_given_up(call, home):
    write(home, broken="def (")
    outcome = call("broken:app", "--preload", "--bind", "127.0.0.1:0").check(1)
    assert "SyntaxError" in outcome.stderr


def test_threads_that_are_not_in_the_workers_are_named(run_command, home):
    write(home, threaded=LOADED + """
    thread = threading.Thread(target=time.sleep, args=(600,), name="collector")
    thread.daemon = True
    thread.start()
""")
    command = run_command("threaded:app", "--preload", "--workers", 2)
    workers_of(command, 2)
    lines = [line for line in command.stderr.splitlines() if "collector" in line]
    assert len(lines) == 1 and "not in the workers" in lines[0]


@pytest.mark.wire
def test_the_template_ends_with_the_master(preloaded, home):
    command = preloaded("--workers", 2)
    workers = workers_of(command, 2)
    (template,) = loaded_by(home)
    command.kill()

    def gone(pid):
        try:
            with open(f"/proc/{pid}/stat") as file:
                return file.read().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    wait_until(lambda: all(map(gone, workers | {template})), "everybody to end")


@pytest.mark.wire
def test_hooks_run_where_they_belong(run_command, home):
    write(home, loaded=LOADED)
    (home / "settings.py").write_text(
        "import os\n"
        "def pre_fork(server, worker):\n    server.log.info('pre %d' % worker.age)\n"
        "def post_fork(server, worker):\n"
        "    server.log.info('post %d %d' % (worker.age, worker.pid == os.getpid()))\n"
        "def child_exit(server, worker):\n    server.log.info('exit %d' % worker.age)\n")
    command = run_command("loaded:app", "--preload", "--workers", 2, "--config", "settings.py")
    workers_of(command, 2)
    outcome = command.stop().check()
    for text in ("pre 1", "pre 2", "post 1 1", "post 2 1", "exit 1", "exit 2"):
        assert outcome.stderr.count(text + "\n") == 1, outcome.stderr


@pytest.mark.wire
def test_memory_is_shared(run_command, home):
    """Four workers of an application of many objects cost little more than one."""
    write(home, fat="KEPT = [str(i) * 3 for i in range(400000)]\n" + HELLO.replace(
        "\n    ", "\n"))

    def cost(*arguments):
        command = run_command("fat:app", "--workers", 4, *arguments)
        workers = workers_of(command, 4)
        total = sum(proportional_kib(pid) for pid in command.workers | {command.pid} | workers)
        command.stop().check()
        return total

    assert cost("--preload") * 2 < cost()


def proportional_kib(pid):
    """The memory of a process, in which what n share counts as an n-th."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1])
    raise AssertionError("no Pss")

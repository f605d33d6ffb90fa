"""The layers of settings: option, environment, file, default; gunicorn's names; hooks."""

import ast
import pathlib
import re
import signal

import pytest
from command import Command, complaints, log_lines, write
from support.ports import free_port
from support.process import wait_until

pytestmark = pytest.mark.each_major

REFUSED = 2

#: An application that shows what is in force.
SHOW = """
    from fapws import config

    def app(environ, start_response):
        start_response("200 OK", [])
        return [repr(getattr(config, environ["PATH_INFO"][1:], None)).encode("ascii")]
"""


@pytest.fixture
def show(run_command, home):
    """`show("max_body_size", *arguments, env=...)`: what `fapws.config` has in a worker."""
    write(home, show=SHOW)

    def show(name, *arguments, **options):
        return run_command("show:app", *arguments, **options).get("/" + name).body.decode()

    return show


def test_an_option_wins_over_the_environment_that_over_the_file_that_over_the_default(show, home):
    (home / "settings.py").write_text("body_memory = 3\n")
    env = {"FAPWS_BODY_MEMORY": "2K"}
    config = ["--config", "settings.py"]
    assert show("body_memory") == "65536"
    assert show("body_memory", *config) == "3"
    assert show("body_memory", *config, env=env) == "2048"
    assert show("body_memory", "--body-memory", "1", *config, env=env) == "1"


@pytest.mark.parametrize(
    "option, name, value",
    [
        ("--max-body-size=10M", "max_body_size", str(10 << 20)),
        ("--max-body-size=1.5k", "max_body_size", "1536"),
        ("--keep-alive-timeout=2.5", "keep_alive_timeout", "2.5"),
        ("--write-timeout=inf", "write_timeout", "inf"),
        ("--no-tcp-defer-accept", "tcp_defer_accept", "False"),
        ("--keep-alive=7", "keep_alive_timeout", "7"),
        ("--limit-request-line=100", "max_request_line", "100"),
        ("--limit-request-fields=20", "max_header_count", "20"),
        ("--worker-connections=44", "max_connections", "44"),
    ],
)
def test_values_of_options(show, option, name, value):
    assert show(name, option) == value


@pytest.mark.wire
@pytest.mark.parametrize("variable", ["FAPWS_WORKERS", "WEB_CONCURRENCY"])
def test_the_environment_of_platforms(run_command, call, variable):
    command = run_command("hello:app", env={variable: "2"})
    command.wait_for_workers(2)
    outcome = call("hello:app", "--bind", "127.0.0.1:0", env={variable: "two"}).check(REFUSED)
    assert outcome.stderr == f"fapws: {variable} must be a whole number, 1 or more, not 'two'\n"


class At(Command):
    """The command at a port that neither option nor environment says."""

    def __init__(self, environment, *arguments, port, **options):
        super().__init__(environment, *arguments, bind=None, **options)
        self.address = ("127.0.0.1", port)


class AtPort(At):
    """The command that has its port from PORT."""

    def __init__(self, environment, *arguments, port, **options):
        env = {"PORT": str(port)}
        super().__init__(environment, *arguments, port=port, env=env, **options)


@pytest.mark.wire
def test_port_is_where_it_listens_unless_an_address_is_named(start_process, interpreter, home):
    port = free_port()
    command = start_process(AtPort, interpreter, "hello:app", port=port, home=home)
    command.wait_for_output(f"serving hello:app on http://0.0.0.0:{port}\n", "stderr")
    other = free_port()
    words = ["hello:app", "--bind", f"127.0.0.1:{other}"]
    named = start_process(AtPort, interpreter, *words, port=port, home=home)
    named.wait_for_output(f"serving hello:app on http://127.0.0.1:{other}\n", "stderr")


@pytest.mark.wire
@pytest.mark.parametrize(
    "variable, value, said",
    [
        ("FAPWS_TIMEOUT", "long", "FAPWS_TIMEOUT must be a number, 0 or more, not 'long'"),
        ("FAPWS_RELOAD", "maybe", "FAPWS_RELOAD must be 1 or 0, not 'maybe'"),
        ("FAPWS_MAX_BODY_SIZE", "10X", "FAPWS_MAX_BODY_SIZE must be a number of bytes, as"),
    ],
)
def test_a_variable_that_is_not_valid(call, variable, value, said):
    outcome = call("--check", "hello:app", env={variable: value}).check(REFUSED)
    assert said in outcome.stderr


@pytest.mark.wire
def test_a_variable_that_is_misspelt(call):
    outcome = call("--check", "hello:app", env={"FAPWS_WOKERS": "2", "FAPWS_OF_OURS": "1"}).check()
    (line,) = log_lines(outcome.stderr)
    assert line[1:] == (
        "WARNING", "there is no variable FAPWS_WOKERS; did you mean FAPWS_WORKERS?")


@pytest.mark.wire
@pytest.mark.parametrize(
    "setting, ways",
    [
        ("SERVER_IDENT", "the file of --config"),
        ("date_format", "the file of --config"),
        ("raw_env", "--env or the file of --config"),
        ("application", "the command line or the file of --config"),
    ],
)
def test_a_variable_that_sets_nothing(call, setting, ways):
    variable = f"FAPWS_{setting.upper()}"
    outcome = call("--check", "hello:app", env={variable: "of mine"}).check()
    (line,) = log_lines(outcome.stderr)
    assert line[1:] == ("WARNING", f"{variable} has no effect: {setting} can only be set by {ways}")


@pytest.mark.wire
@pytest.mark.parametrize(
    "words, said",
    [
        ("--worker-class gevent", "there is no --worker-class gevent: there is one kind of worker"),
        ("-k eventlet", "use --threads N"),
        ("-k uvicorn.workers.UvicornWorker", "only WSGI applications are served here"),
        ("--certfile a.pem", "put nginx, HAProxy or pound in front"),
        ("--daemon", "let systemd start it"),
        ("--error-logfile a.log", "2>> FILE"),
        ("--statsd-host localhost:8125", "contrib.stats"),
        ("--paste a.ini", "egg:fapws3#main"),
        ("--log-config a.conf", "the application configures its own logging"),
        ("--limit-request-field_size 100", "--max-header-size"),
        ("--http-protocols h2", "only HTTP/1.1 is supported"),
        ("--wokers 3", "there is no option --wokers; did you mean --workers?"),
        ("--frobnicate", "there is no option --frobnicate; --help lists the options"),
        ("--workers", "--workers needs a value"),
        ("--workers four", "--workers must be a whole number, 1 or more, not 'four'"),
        ("--timeout long", "--timeout must be a number, 0 or more, not 'long'"),
        ("--user nobody-of-that-name", "--user: there is no user nobody-of-that-name"),
        ("--group nobody-of-that-name", "--group: there is no group nobody-of-that-name"),
        ("--bind localhost", "write one of HOST:PORT, [IPV6]:PORT, :PORT, unix:PATH, fd://NUMBER"),
        ("--workers --preload", "--workers needs a value"),
        ("--preload=1", "--preload takes no value"),
        ("more:app", "there are two applications, hello:app and more:app; only one is served"),
    ],
)
def test_options_that_cannot_be(call, words, said):
    outcome = call("hello:app", *words.split()).check(REFUSED)
    assert said in outcome.stderr and outcome.stderr.count("\n") == 1


@pytest.mark.wire
@pytest.mark.parametrize(
    "words",
    [
        "-k sync", "--worker-class=gthread", "--worker-tmp-dir /dev/shm", "--check-config",
        "--access-logfile -", "--access-logformat %(h)s", "-n site", "-p a.pid", "-t 60", "-m 007",
        "--no-control-socket", "-e A=1 --env B=1", "--http-parser fast", "-R",
    ],
)
def test_options_of_gunicorn_that_are_understood(call, words):
    call("--check", "hello:app", *words.split()).check()


#: As people have it: constants of its own, functions, imports, what has no meaning here.
GUNICORN = """
import multiprocessing
import os

port = os.getenv("PORT_OF_SITE", "{port}")
cpu_count = multiprocessing.cpu_count()
WORKERS = 2

def default_workers():
    return WORKERS

wsgi_app = "hello:app"
bind = "127.0.0.1:" + port
backlog = 2048
workers = default_workers()
worker_class = "sync"
worker_connections = 1000
worker_tmp_dir = "/dev/shm"
keepalive = 2
timeout = 120
graceful_timeout = 30
spew = False
daemon = False
raw_env = ["DJANGO_SECRET_KEY=something", "SPAM=eggs"]
pidfile = None
umask = 0
user = None
group = None
tmp_upload_dir = None
errorlog = "-"
loglevel = "INFO"
accesslog = "access.log"
access_log_format = '%(h)s "%(r)s" %(s)s %(D)sus'
proc_name = None
limit_request_line = 4094
limit_request_fields = 100
limit_request_field_size = 8190
certfile = None
capture_output = True
secure_scheme_headers = {{"X-FORWARDED-PROTO": "https"}}

def post_fork(server, worker):
    server.log.info("Worker spawned (pid: %s)", worker.pid)

def pre_fork(server, worker):
    pass

def pre_exec(server):
    server.log.info("Forked child, re-executing.")

def when_ready(server):
    server.log.info("Server is ready. Spawning workers")

def worker_int(worker):
    worker.log.info("worker received INT or QUIT signal")

def worker_abort(worker):
    worker.log.info("worker received SIGABRT signal")

def ssl_context(conf, default_ssl_context_factory):
    return default_ssl_context_factory()
"""


@pytest.mark.wire
def test_a_configuration_of_gunicorn_works_as_it_is(start_process, interpreter, home):
    port = free_port()
    (home / "gunicorn.conf.py").write_text(GUNICORN.format(port=port))
    command = start_process(At, interpreter, "--config", "gunicorn.conf.py", port=port, home=home)
    workers = command.wait_for_workers(2)
    log = wait_until((home / "access.log").read_text, "the line")
    assert log.startswith('127.0.0.1 "GET / HTTP/1.1" 200 ')
    lines = log_lines(command.stderr)
    spawned = {(pid, f"Worker spawned (pid: {pid})") for pid in workers}
    assert spawned <= {(pid, text) for pid, _, text in lines}
    assert (command.pid, "INFO", "Server is ready. Spawning workers") in lines
    warned = [text for _, level, text in lines if level == "WARNING"]
    named = [re.match(r"(?:gunicorn\.conf\.py: )?(\w+) (is ignored|has no effect)", text)
             for text in warned]
    ignored = {found[1] for found in named if found and found[2] == "is ignored"}
    assert ignored == {
        "capture_output", "limit_request_field_size", "secure_scheme_headers", "pre_exec",
        "worker_abort", "worker_int",
    }
    assert "gunicorn.conf.py: not settings, ignored: WORKERS, cpu_count, port (names of " in (
        "\n".join(warned))


@pytest.mark.parametrize(
    "source, said",
    [
        ("certfile = 'a.pem'", "settings.py: there is no certfile: TLS is not supported"),
        ("daemon = True", "settings.py: there is no daemon: let systemd start it"),
        ("worker_class = 'uvicorn.workers.UvicornWorker'", "only WSGI applications"),
        ("graceful_timeout = 5\nkeepallive = 3", "did you mean keepalive?"),
        ("workers = 2\n\n[server]\n", "line 3: this file is Python, not TOML or INI"),
        ("reload = true", "Python writes True, False and None"),
    ],
)
def test_files_that_cannot_be(call, home, source, said):
    (home / "settings.py").write_text(source)
    outcome = call("--check", "hello:app", "--config", "settings.py").check(REFUSED)
    assert said in outcome.stderr


@pytest.mark.wire
@pytest.mark.parametrize("name", ["a.toml", "a.yaml", "a.yml", "a.json", "a.ini"])
def test_a_file_of_another_notation(call, home, name):
    (home / name).write_text("workers = 3\n")
    said = call("--check", "hello:app", "--config", name).check(REFUSED).stderr
    assert f"{name}: this file is Python, not {name[2:].upper().replace('YML', 'YAML')}" in said


@pytest.mark.wire
def test_a_value_after_a_colon_is_none(call, home, interpreter):
    """`graceful_timeout: 5` is an annotation to Python 3, and sets nothing."""
    (home / "settings.py").write_text("SERVER_IDENT = 'a/1.00'\ngraceful_timeout: 5\n")
    said = call("--check", "hello:app", "--config", "settings.py").check(REFUSED).stderr
    words = "invalid syntax" if interpreter.major == 2 else "graceful_timeout is not set by a colon"
    assert f"settings.py, line 2: {words}" in said


def test_a_module_as_a_file(show, home):
    write(home, conf="body_memory = 5\n")
    assert show("body_memory", "--config", "python:conf") == "5"
    assert show("body_memory", "--config", "file:conf.py") == "5"


def test_a_reload_reads_the_file_and_what_it_imports_again(run_command, home):
    (home / "settings.py").write_text("import more\nmax_request_line = more.LINE\n")
    write(home, more="LINE = 30\n")
    command = run_command("hello:app", "--config", "settings.py")
    before = command.wait_for_workers(1)
    assert command.get("/" + "a" * 50).status == 414
    write(home, more="LINE = 300000\n")
    (home / "settings.py").write_text("import more\nmax_request_line = more.LINE\nworkers = 2\n")
    command.send_signal(signal.SIGHUP)
    wait_until(lambda: not before & command.workers, "the old worker to end")
    command.wait_for_workers(2)
    assert command.get("/" + "a" * 50).status == 200


HOOKS = """
def _say(name, server, worker=None):
    with open("hooks.log", "a") as log:
        said = [name, server and server.pid, worker and worker.pid, worker and worker.age]
        log.write(repr(said) + "\\n")

def on_starting(server):
    assert server.cfg.workers == 1 and server.cfg.keepalive == 65
    _say("on_starting", server)

def when_ready(server):
    assert server.address[0].startswith("http://127.0.0.1:"), server.address
    _say("when_ready", server)

def pre_fork(server, worker):
    assert worker.pid == "[booting]"
    worker.pid = None
    _say("pre_fork", server, worker)

def post_fork(server, worker):
    import os
    assert worker.pid == os.getpid() and worker.ppid == server.pid
    _say("post_fork", server, worker)

def post_worker_init(worker):
    assert worker.wsgi.__name__ == "app"
    _say("post_worker_init", None, worker)

def worker_exit(server, worker):
    _say("worker_exit", server, worker)

def child_exit(server, worker):
    _say("child_exit", server, worker)

def on_exit(server):
    server.log.warning("over %s", "now")
    _say("on_exit", server)

def on_reload(server):
    _say("on_reload", server)

def nworkers_changed(server, new, old):
    assert (new, old) == (2, 1)
    _say("nworkers_changed", server)
"""


def obeys_sigterm(pid):
    """Whether a worker has come so far in `run` that SIGTERM is the graceful end."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    caught = int(re.search(r"SigCgt:\s+(\w+)", status).group(1), 16)
    return caught >> (signal.SIGTERM - 1) & 1


def test_hooks(run_command, home):
    (home / "settings.py").write_text(HOOKS)
    command = run_command("hello:app", "--config", "settings.py")
    (first,) = command.wait_for_workers(1)
    command.send_signal(signal.SIGHUP)
    wait_until(lambda: first not in command.workers, "the old worker to end")
    (second,) = command.wait_for_workers(1)
    command.send_signal(signal.SIGTTIN)
    third = (command.wait_for_workers(2) - {second}).pop()
    wait_until(lambda: obeys_sigterm(third), "the third worker to serve")
    outcome = command.stop().check()
    said = [ast.literal_eval(line) for line in (home / "hooks.log").read_text().splitlines()]
    for pid, age in [(first, 1), (second, 2), (third, 3)]:
        assert [name for name, _, worker, _ in said if worker == pid] == [
            "post_fork", "post_worker_init", "worker_exit", "child_exit"]
        assert {number for _, _, worker, number in said if worker == pid} == {age}
    assert {server for _, server, _, _ in said} == {command.pid, None}
    masters = [name for name, _, worker, _ in said if worker is None]
    assert masters == ["on_starting", "when_ready", "pre_fork", "on_reload", "pre_fork",
                       "nworkers_changed", "pre_fork", "on_exit"]
    assert (command.pid, "WARNING", "over now") in log_lines(outcome.stderr)


def test_a_hook_that_fails(run_command, call, home):
    (home / "settings.py").write_text("def post_fork(server, worker):\n    1 / 0\n")
    outcome = call("hello:app", "--config", "settings.py", "--bind", "127.0.0.1:0").check(1)
    assert "the hook post_fork failed" in outcome.stderr and "ZeroDivision" in outcome.stderr
    (home / "settings.py").write_text("def when_ready(server):\n    raise SystemExit(3)\n")
    command = run_command("hello:app", "--config", "settings.py")
    assert command.get("/").status == 200
    assert "the hook when_ready failed" in complaints(command.stop().check())

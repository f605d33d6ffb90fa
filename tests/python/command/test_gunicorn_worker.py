"""gunicorn's settings with our worker class: each is obeyed, or named at the start."""

import os
import signal
import time

import pytest
from command import HELLO, served_by, write
from foreign import Foreign
from support.ports import free_port
from support.process import Process, wait_until

#: The one that Python 2.7 still gets, an old one that many have, and the newest.
VERSIONS = {"old": "gunicorn==20.1.0", "new": "gunicorn"}


class Gunicorn(Foreign):
    """gunicorn with our worker class, serving `hello:app`."""

    def __init__(self, interpreter, version, *arguments, folder, home):
        command, library = gunicorn_command(interpreter, version, *arguments)
        port = free_port()
        super().__init__(command + ["--bind", f"127.0.0.1:{port}"], port, folder, home, library)


def gunicorn_command(interpreter, version, *arguments):
    requirements = [VERSIONS[version]]
    if version == "old":
        requirements.append("setuptools<81")
    if interpreter.major == 2:
        requirements = ["gunicorn<20", "setuptools<45"]
    library = interpreter.library(*requirements)
    command = [interpreter.python, "-m", "gunicorn.app.wsgiapp", "hello:app"]
    command += ["-k", "fapws.contrib.gunicorn.FapwsWorker", *arguments]
    if version == "new" and interpreter.version >= (3, 10):
        # The newest gunicorn, which is all that such a Python gets, has one in the home folder.
        command += ["--no-control-socket"]
    return command, library


@pytest.fixture(params=sorted(VERSIONS))
def version(request, interpreter):
    if interpreter.major == 2 and request.param == "old":
        pytest.skip("Python 2 has one gunicorn that is its last")
    return request.param


@pytest.mark.wire
@pytest.mark.parametrize(
    "source, name",
    [
        ("certfile = __file__\nkeyfile = __file__", "certfile: there is no TLS"),
        ("limit_request_field_size = 100", "limit_request_field_size: this worker"),
        ("def pre_request(worker, req):\n    pass", "pre_request: this worker does not call it"),
        ("def post_request(worker, req):\n    pass", "post_request: this worker does not call it"),
        ("secure_scheme_headers = {'X-A': 'https'}", "secure_scheme_headers: this worker reads"),
        ("statsd_host = 'localhost:8125'", "statsd_host: this worker sends no numbers"),
        ("sendfile = False", "sendfile: this worker"),
        ("tmp_upload_dir = '/tmp'", "tmp_upload_dir: this worker keeps bodies in TMPDIR"),
    ],
)
def test_what_is_not_obeyed_ends_the_start(interpreter, tmp_path, home, version, source, name):
    (home / "conf.py").write_text(source + "\n")
    command, library = gunicorn_command(interpreter, version, "-c", "conf.py")
    command += ["--bind", f"127.0.0.1:{free_port()}"]
    env = {"PYTHONPATH": str(library)}
    outcome = Process(command, tmp_path / "run", env, cwd=home).start().wait()
    assert outcome.returncode != 0
    assert "Not with this worker class: " + name in outcome.stderr


def test_a_worker_is_replaced_after_its_requests(interpreter, start_process, home, version):
    words = ["--max-requests", "20", "--max-requests-jitter", "5"]
    gunicorn = start_process(Gunicorn, interpreter, version, *words, home=home)
    first = served_by(gunicorn.get("/"))[0]

    def replaced():
        try:
            return served_by(gunicorn.get("/"))[0] != first
        except (OSError, AssertionError):
            return False  # as with gunicorn's own workers, one is gone before the next is there

    wait_until(replaced, "another worker")
    gunicorn.wait_for_output("Autorestarting worker", "stderr")


MEETING = """
    import threading

    ENTERED = [threading.Event(), threading.Event()]

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        if path != "/":
            ENTERED[int(path[1:])].set()
            assert ENTERED[1 - int(path[1:])].wait(50)
        start_response("200 OK", [])
        return [b"met"]
"""


def test_threads(interpreter, start_process, home, version):
    if interpreter.major == 2:
        pytest.skip("Python 2 has one thread")
    write(home, hello=MEETING)
    gunicorn = start_process(Gunicorn, interpreter, version, "--threads", "2", home=home)
    with gunicorn.connect() as first, gunicorn.connect() as second:
        first.send(b"GET /0 HTTP/1.1\r\nHost: test\r\n\r\n")
        second.send(b"GET /1 HTTP/1.1\r\nHost: test\r\n\r\n")
        assert (first.response().body, second.response().body) == (b"met", b"met")


@pytest.mark.wire
def test_limits_and_timeouts(interpreter, start_process, home, version):
    words = ["--limit-request-line", "200", "--limit-request-fields", "5", "--keep-alive", "1"]
    gunicorn = start_process(Gunicorn, interpreter, version, *words, home=home)
    assert gunicorn.get("/" + "a" * 300).status == 414
    assert gunicorn.get("/", *[f"X-{n}: 1" for n in range(9)]).status == 431
    with gunicorn.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert client.response().status == 200
        assert client.at_end()  # within a second, not our own 65


# gunicorn's reloader is a daemon thread. Python 2.7 lets one run while it takes its modules apart
# ("no module dictionary"), with every class of worker.
WITHOUT_FINALISATION = """
import os

def worker_exit(server, worker):
    os._exit(0)
"""


@pytest.mark.wire
def test_its_reloader_is_obeyed(interpreter, start_process, home, version):
    words = ["--reload", "--reload-engine", "poll"]
    if interpreter.major == 2:
        (home / "conf.py").write_text(WITHOUT_FINALISATION)
        words += ["-c", "conf.py"]
    gunicorn = start_process(Gunicorn, interpreter, version, *words, home=home)
    time.sleep(1.1)  # its reloader looks at whole seconds
    write(home, hello=HELLO.replace('"one"', '"two"'))

    def is_new():
        try:
            return served_by(gunicorn.get("/"))[1] == "two"
        except (OSError, AssertionError):
            return False

    wait_until(is_new, "the new source")


LOGGED = """
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": "INFO", "handlers": []},
    "formatters": {"plain": {"format": "%(name)s %(message)s"}},
    "handlers": {"file": {"class": "logging.FileHandler", "filename": "by.log",
                          "formatter": "plain"}},
    "loggers": {
        "gunicorn.error": {"handlers": ["file"], "level": "INFO", "propagate": False},
        "gunicorn.access": {"handlers": ["file"], "level": "INFO", "propagate": False},
    },
}
access_log_format = "%(m)s %(U)s %(s)s"
"""


@pytest.mark.wire
def test_its_logging_configuration_gets_the_access_log(interpreter, start_process, home, version):
    (home / "conf.py").write_text(LOGGED)
    gunicorn = start_process(Gunicorn, interpreter, version, "-c", "conf.py", home=home)
    gunicorn.get("/there")
    line = "gunicorn.access GET /there 200\n"
    wait_until(lambda: line in (home / "by.log").read_text(), "the line")


@pytest.mark.wire
def test_a_worker_that_drains_ends_at_once_at_quit(interpreter, start_process, home, version):
    words = ["--graceful-timeout", "600"]
    gunicorn = start_process(Gunicorn, interpreter, version, *words, home=home)
    worker = served_by(gunicorn.get("/"))[0]
    with gunicorn.connect() as client, gunicorn.connect() as idle:
        client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\n")
        idle.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert idle.response().status == 200
        gunicorn.send_signal(signal.SIGTERM)
        assert idle.at_end()  # the worker drains
        os.kill(worker, signal.SIGQUIT)
        # Later there would be a 408.
        assert client.at_end()
    gunicorn.wait().check()

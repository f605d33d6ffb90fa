"""Where others plug servers in: gunicorn, Paste Deploy, Bottle."""

import pathlib
import signal

import pytest
from command import HELLO, served_by, write
from foreign import Foreign
from support.ports import free_port
from support.process import wait_until


@pytest.fixture
def gunicorn(interpreter, start_process, home):
    """gunicorn with our worker, two of them."""
    requirements = ["gunicorn<20", "setuptools<45"] if interpreter.major == 2 else ["gunicorn"]
    library = interpreter.library(*requirements)
    port = free_port()
    command = [interpreter.python, "-m", "gunicorn.app.wsgiapp", "hello:app", "--workers", "2"]
    command += ["-k", "fapws.contrib.gunicorn.FapwsWorker", "--timeout", "2"]
    command += ["--bind", f"127.0.0.1:{port}", "--bind", "unix:a.sock", "--access-logfile", "a.log"]
    if interpreter.version >= (3, 10):
        # The newest gunicorn, which is all that such a Python gets, has one in the home folder.
        command += ["--no-control-socket"]
    return start_process(Foreign, command, port, home=home, library=library)


def workers(process):
    """The process ids of a program's children."""
    path = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return set(map(int, path.read_text().split()))


@pytest.mark.each_major
def test_gunicorn(gunicorn, home):
    wait_until(lambda: len(workers(gunicorn)) == 2, "two workers")
    before = workers(gunicorn)
    answer = gunicorn.get("/")
    assert served_by(answer)[0] in before and answer.header("Server").startswith("fapws3/")
    tcp, gunicorn.address = gunicorn.address, str(home / "a.sock")
    assert gunicorn.get("/there").status == 200
    gunicorn.address = tcp
    assert '"GET /there HTTP/1.1" 200' in (home / "a.log").read_text()

    write(home, hello=HELLO.replace('"one"', '"two"'))
    gunicorn.send_signal(signal.SIGHUP)
    wait_until(lambda: len(workers(gunicorn) - before) == 2, "new workers")
    wait_until(lambda: not before & workers(gunicorn), "the old ones to end")
    wait_until(lambda: served_by(gunicorn.get("/"))[1] == "two", "the new source")


@pytest.mark.each_major
def test_gunicorn_notices_a_worker_that_hangs_and_no_other(gunicorn):
    wait_until(lambda: len(workers(gunicorn)) == 2, "two workers")
    before = workers(gunicorn)
    with gunicorn.connect() as client:
        client.send(b"GET /hang HTTP/1.1\r\nHost: test\r\n\r\n")
        # Twice gunicorn's timeout: the heart of one that does nothing goes on beating.
        wait_until(lambda: len(before - workers(gunicorn)) == 1, "one to be replaced")
    wait_until(lambda: len(workers(gunicorn)) == 2, "another in its place")
    assert len(before & workers(gunicorn)) == 1


PASTED = """
    import hello
    def make(global_config, **local_config):
        return hello.app
"""

INI = """
[app:main]
paste.app_factory = pasted:make

[server:main]
use = egg:fapws3#main
host = 127.0.0.1
port = {port}
SERVER_IDENT = pasted/1.00
header_timeout = 3
"""

LOAD = """
    import os, sys
    sys.path.insert(0, os.getcwd())
    from paste.deploy import loadapp, loadserver
    loadserver("config:site.ini", relative_to=os.getcwd())(
        loadapp("config:site.ini", relative_to=os.getcwd()))
"""


@pytest.mark.each_major
def test_paste_deploy(interpreter, start_process, home):
    if interpreter.major == 2:
        library = interpreter.library("PasteDeploy")
        # pip leaves namespace packages to .pth files, and Python reads none on PYTHONPATH.
        (library / "paste" / "__init__.py").touch()
    else:
        # loadserver needs pkg_resources, which the newest setuptools has no more.
        library = interpreter.library("PasteDeploy", "setuptools<80")
    port = free_port()
    write(home, pasted=PASTED, load=LOAD)
    (home / "site.ini").write_text(INI.format(port=port))
    command = [interpreter.python, "load.py"]
    pasted = start_process(Foreign, command, port, home=home, library=library)
    answer = pasted.get("/")
    assert served_by(answer)[0] == pasted.pid
    assert answer.header("Server") == "pasted/1.00" and answer.version == "HTTP/1.1"


BOTTLED = """
    import sys
    import bottle

    if tuple(map(int, bottle.__version__.split(".")[:2])) == (0, 13):
        # Its adapter calls this with one argument too few, and fails before it reaches a server.
        bottle.depr = lambda *arguments: None

    @bottle.route("/hello/<name>")
    def hello(name):
        return "hello " + name

    bottle.run(server="fapws3", host="127.0.0.1", port=int(sys.argv[1]))
"""


@pytest.mark.parametrize("version", ["0.12.25", "0.13.4"])
def test_bottle(interpreter, start_process, home, version):
    if version.startswith("0.12") and interpreter.version >= (3, 12):
        pytest.skip("Bottle 0.12 imports what Python no longer has")
    library = interpreter.library(f"bottle=={version}")
    port = free_port()
    write(home, bottled=BOTTLED)
    command = [interpreter.python, "bottled.py", str(port)]
    bottled = start_process(Foreign, command, port, home=home, library=library)
    assert bottled.get("/hello/ada").body == b"hello ada"
    assert bottled.get("/nothing").status == 404

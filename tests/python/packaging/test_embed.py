"""A C program that embeds Python registers the core by include/evwsgi.h, on each Python."""

import json
import os
import re

import pytest
from support import ROOT
from support.environment import run
from support.process import Process

FACTS = """{
    name: sysconfig.get_config_var(name) or ""
    for name in ["INCLUDEPY", "LIBDIR", "LDLIBRARY", "VERSION", "LDVERSION", "LIBS", "SYSLIBS"]
}"""

PROGRAM = """
import _evwsgi, json, sys
assert _evwsgi.__name__ == "_evwsgi" and "_evwsgi" in sys.builtin_module_names
print(json.dumps([_evwsgi.libev_version(), _evwsgi.parse_query("a=1&a=2")]))
sys.stdout.flush()
"""


#: Leaves everything that the module can keep: an application, a timer, a deferred call, a socket.
FIRST = """
import _evwsgi
class Base(object):
    class config(object):
        SERVER_IDENT = "first"
        date_format = "%a"
    class Environ(dict):
        pass
    class Start_response(object):
        pass
def application(environ, start_response):
    raise SystemExit("an application of the interpreter before")
_evwsgi.set_base_module(Base)
_evwsgi.wsgi_gen_cb(application)
_evwsgi.add_timer(0.001, application)
_evwsgi.defer(application, None, False)
_evwsgi.start("127.0.0.1", "0")
with open("descriptor", "w") as file:
    file.write(str(int(_evwsgi.socket_fd())))
"""

#: Finds nothing of it, and what it raises can be caught.
SECOND = """
import _evwsgi, os, sys
with open("descriptor") as file:
    number = int(file.read())
try:
    os.fstat(number)
except OSError:
    print("closed")
try:
    _evwsgi.run()
except _evwsgi.error as error:
    print(error)
print("%d %s %d" % (_evwsgi.socket_fd(), _evwsgi.defer_queue_size(), _evwsgi.add_timer(1, len)))
assert _evwsgi.parse_query("a=1") == {"a": ["1"]}
sys.stdout.flush()
"""


#: In an interpreter beside another: what tests/embed/embed.c looks for, and what is said. Python 2
#: copies a module that was imported before, so that there only a call can say it.
BESIDE = """# beside
import sys
try:
    import _evwsgi
    if sys.version_info[0] == 2:
        _evwsgi.defer_queue_size()
    print("imported")
except ImportError as error:
    print("ImportError: %s" % error)
sys.stdout.flush()
"""

#: What the main one can do afterwards, and the next one.
USE = """
import _evwsgi, sys
print("%s %d" % (_evwsgi.parse_query("a=1"), _evwsgi.add_timer(1, len)))
try:
    _evwsgi.stop_timer(7)
except IndexError:
    print("IndexError")
sys.stdout.flush()
"""


#: Serves a few requests in each dialect, with a class of the base module changed meanwhile.
SERVE = """
import importlib, socket, sys, threading, types
import _evwsgi
package = types.ModuleType("fapws")
package.__path__ = [%r]
package._evwsgi = _evwsgi
sys.modules.update({"fapws": package, "fapws._evwsgi": _evwsgi})
base = importlib.import_module("fapws.base")

def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "6")])
    return [b"served"]

def ask(address):
    client = socket.create_connection(address)
    client.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    return client.makefile("rb").read()[-6:].decode("ascii")

def work(address):
    served.append(ask(address))
    base.Environ.mark = True
    served.append(ask(address))
    del base.Environ.mark
    served.append(ask(address))
    _evwsgi.stop()

for dialect in ("standard", "legacy"):
    base.config.dialect = dialect
    _evwsgi.set_base_module(base)
    _evwsgi.start("127.0.0.1", "0")
    _evwsgi.wsgi_gen_cb(application)
    listener = socket.fromfd(int(_evwsgi.socket_fd()), socket.AF_INET, socket.SOCK_STREAM)
    served = []
    thread = threading.Thread(target=work, args=[listener.getsockname()])
    thread.start()
    _evwsgi.run()
    thread.join()
    print("%%s: %%s" %% (dialect, " ".join(served)))
sys.stdout.flush()
"""


@pytest.fixture
def embedding_program(interpreter, tmp_path):
    """The compiled C program, for one interpreter."""
    query = f"import json, sysconfig; print(json.dumps({FACTS}))"
    facts = json.loads(run(interpreter.interpreter.executable, "-c", query))
    if not os.path.exists(os.path.join(facts["INCLUDEPY"], "Python.h")):
        # Debian packs it apart from the interpreter, which is all that `make pythons` brings.
        pytest.skip(f"{interpreter.name} has no Python.h to compile a C program with")
    program = tmp_path / "embed"
    library = facts["LDVERSION"] or facts["VERSION"]
    run(
        *["cc", "-Wall", "-Werror", "-o", program, ROOT / "tests" / "embed" / "embed.c"],
        *["-I", ROOT / "include", "-I", facts["INCLUDEPY"]],
        interpreter.extension,
        *["-L", facts["LIBDIR"], f"-Wl,-rpath,{facts['LIBDIR']}", f"-lpython{library}"],
        *facts["LIBS"].split(),
        *facts["SYSLIBS"].split(),
    )
    return program


def test_the_core_is_a_built_in_module_of_an_embedding_program(
    interpreter, embedding_program, start_process
):
    home = run(interpreter.interpreter.executable, "-c", "import sys; print(sys.prefix)").strip()
    process = start_process(Process, [embedding_program, PROGRAM], env={"PYTHONHOME": home})
    lines = process.wait().check().stdout.splitlines()
    (major, minor), query = json.loads(lines[0])
    assert major == 4 and isinstance(minor, int)
    assert query == {"a": ["1", "2"]}
    version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M).group(1)
    assert lines[1] == f"evwsgi_version {version}"


def test_an_interpreter_after_another_finds_nothing_of_it(
    interpreter, embedding_program, start_process
):
    home = run(interpreter.interpreter.executable, "-c", "import sys; print(sys.prefix)").strip()
    process = start_process(
        Process,
        [embedding_program, FIRST, SECOND],
        env={"PYTHONHOME": home},
    )
    lines = process.wait().check().stdout.splitlines()
    assert lines[1:4] == ["closed", "start() must be called before run()", "-1 None 1"]


def test_each_of_several_interpreters_serves(interpreter, embedding_program, start_process):
    """One after another: what the one before left is not touched."""
    home = run(interpreter.interpreter.executable, "-c", "import sys; print(sys.prefix)").strip()
    program = SERVE % str(ROOT / "fapws")
    process = start_process(
        Process,
        [embedding_program, program, program, program],
        env={"PYTHONHOME": home},
    )
    lines = process.wait().check().stdout.splitlines()
    served = [line for line in lines if line.endswith("served")]
    assert served == [f"{name}: served served served" for name in ("standard", "legacy")] * 3


def test_an_interpreter_beside_the_main_one_is_rejected(
    interpreter, embedding_program, start_process
):
    """Whichever imports the module first, and in each interpreter that the program makes."""
    home = run(interpreter.interpreter.executable, "-c", "import sys; print(sys.prefix)").strip()
    process = start_process(
        Process,
        [embedding_program, "pass", BESIDE, USE, BESIDE, BESIDE, USE],
        env={"PYTHONHOME": home},
    )
    lines = process.wait().check().stdout.splitlines()
    rejected = "ImportError: "
    used = ["{'a': ['1']} 1", "IndexError"]
    kinds = [rejected if line.startswith(rejected) else line for line in lines[:-1]]
    assert kinds == [rejected, *used, rejected, rejected, *used]
    assert "main interpreter" in lines[0]

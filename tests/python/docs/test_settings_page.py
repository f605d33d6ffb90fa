"""docs/settings.md has every setting, as the table in fapws/settings.py has it."""

import ast
import os
import re

import pytest
from docs import settings_table
from docs.pages import blocks, commands, files, text
from docs.test_readme import Typed
from support import ROOT
from support.ports import free_port
from support.process import Process

pytestmark = pytest.mark.each_major

PAGE = "docs/settings.md"


def of_the_core():
    """Name -> (default in the standard dialect, in the legacy one), from the core's own table."""
    table = (ROOT / "src/config.rs").read_text()
    found = re.findall(r"^    (\w+): \w+, standard (.+?), legacy (.+?);$", table, re.M)
    words = {"true": "True", "false": "False"}

    def value(expression):
        return eval(words.get(expression, expression), {"__builtins__": {}})

    return {name: (value(standard), value(legacy)) for name, standard, legacy in found}


def test_the_tables_are_those_of_the_code():
    page = settings_table.PAGE.read_text()
    rendered = settings_table.rendered(page)
    if os.environ.get("FAPWS_WRITE_PAGE"):
        settings_table.PAGE.write_text(rendered)
    assert page == rendered, "write it anew: make settings"


def test_every_setting_of_the_package_is_in_the_table(interpreter):
    program = "sorted(n for n in vars(__import__('fapws.config').config) if n[0] != '_')"
    names = set(ast.literal_eval(interpreter.evaluate(program))) - {"sys"}
    native = {row.name for row in settings_table.table().TABLE.values() if row.native}
    assert names == native


def test_the_defaults_are_those_of_the_core():
    core = of_the_core()
    assert len(core) > 10
    table = settings_table.table().TABLE
    for name, (standard, legacy) in core.items():
        row = table[name]
        if row.default is None:
            assert standard == 0, name  # which means what the page says in words
        else:
            assert row.default == standard, name
            assert (row.default if row.legacy is None else row.legacy) == legacy, name


def test_the_defaults_are_those_of_the_package(interpreter):
    for name, row in settings_table.table().TABLE.items():
        if row.native and name != "dialect":
            value = f"__import__('fapws.config').config.{name}"
            value = ast.literal_eval(interpreter.evaluate(value))
            # None and nothing leave it to the core, whose defaults are compared above.
            assert value in (None, (), row.default), name


@pytest.fixture
def written(tmp_path):
    """The folder with the page's files."""
    for name, source in files(PAGE).items():
        (tmp_path / name).write_text(source)
    return tmp_path


def test_the_file_of_settings(python3, written):
    words = ["-m", "fapws", "--check", "--config", "settings.py", "program:app"]
    outcome = Process([python3.python, *words], written / "run", cwd=written).start().wait().check()
    assert (outcome.stdout, outcome.stderr) == ("program:app is an application (app)\n", "")


def test_the_program(python3, written, start_process):
    port = free_port()
    source = (written / "program.py").read_text()
    assert "127.0.0.1:8000" in source
    (written / "program.py").write_text(source.replace(":8000", f":{port}"))
    server = start_process(Typed, [python3.python, "program.py"], port, cwd=written)
    assert server.get("/").body == b"Hello\n"


def test_the_test(python3, written):
    words = ["-c", "import test_hello; test_hello.test_hello()"]
    Process([python3.python, *words], written / "run", cwd=written).start().wait().check()


def test_a_setting_that_is_none_or_infinite_is_one(serve):
    server = serve("hello.py", config={"header_timeout": float("inf"), "max_header_count": None})
    assert server.get("/hello").status == 200


@pytest.mark.parametrize("value, error", [("60", "TypeError"), (-1, "ValueError")])
def test_a_value_that_is_none_is_refused(serve, value, error):
    outcome = serve("hello.py", config={"body_timeout": value}).wait()
    assert outcome.returncode == 1
    assert error in outcome.stderr and "body_timeout" in outcome.stderr


def test_the_reserve_of_descriptors_is_the_one_of_the_core():
    core = "".join(path.read_text() for path in (ROOT / "src" / "server").rglob("*.rs"))
    (reserve,) = re.findall(r"const RESERVE: usize = (\d+);", core)
    assert f"less {reserve}" in settings_table.table().TABLE["max_connections"].shown


@pytest.fixture
def bottled(interpreter, start_process, tmp_path):
    """`bottled(source, *arguments)`: a program for Bottle 0.13 in hello.py, and what serves it."""

    def bottled(source, port, *command):
        page = "import bottle\n\n@bottle.route('/')\ndef hello():\n    return 'bottled'\n\n"
        (tmp_path / "hello.py").write_text(page + source)
        library = interpreter.library("bottle==0.13.4")
        env = {"PYTHONPATH": str(library)}
        words = [interpreter.python, *command]
        return start_process(Typed, words, port, cwd=tmp_path, env=env)

    return bottled


OTHERS = "## In other servers and frameworks"


def test_bottle_by_the_command(bottled):
    assert "`application = bottle.default_app()`" in text(PAGE)
    assert "python -m fapws hello" in commands(PAGE, OTHERS)
    port = free_port()
    words = ["-m", "fapws", "hello", "--bind", f"127.0.0.1:{port}"]
    server = bottled("application = bottle.default_app()\n", port, *words)
    assert server.get("/").body == b"bottled"


def test_bottle_by_an_adapter(bottled):
    (adapter,) = [block for block in blocks(PAGE, OTHERS) if "ServerAdapter" in block]
    port = free_port()
    assert "port=8080" in adapter
    server = bottled(adapter.replace("port=8080", f"port={port}"), port, "hello.py")
    assert server.get("/").body == b"bottled"

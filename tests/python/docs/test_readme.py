"""What the README tells a newcomer to type does what it says."""

import os
import pty
import re
import shutil
import subprocess
import sys

import pytest
from docs.pages import blocks, commands, fences, section, text
from support import ROOT
from support.client import Client
from support.environment import QUICK_BUILD, cargo_that_has_built, copy_of_sources, run
from support.ports import free_port
from support.process import clean_environment, wait_until
from support.server import Listening

#: Each command of the README, and the test that runs it.
COMMANDS = {
    "make serve": "docs/test_readme.py::test_make_serve",
    "make serve PYTHON=python2.7 PORT=8081": "docs/test_readme.py::test_make_serve",
    # The suite is what it runs; here it is only asked which commands it would give.
    "make test": "docs/test_readme.py::test_make_test",
    "make quick": "docs/test_readme.py::test_make_quick",
    "make help": "docs/test_readme.py::test_make_help",
    "make docs": "docs/test_site.py::test_the_site",
    "make wheel": "docs/test_readme.py::test_make_wheel",
    "make wheel PYTHON=python2.7": "docs/test_readme.py::test_make_wheel",
    "make wheel TARGET=aarch64-unknown-linux-gnu": "docs/test_readme.py::test_make_wheel",
    # Minutes for each system.
    "make check-targets": "docs/test_readme.py::test_make_check_targets",
    "python3 -m venv venv && . venv/bin/activate": "docs/test_readme.py::test_the_quick_start",
    "pip install . flask": "docs/test_readme.py::test_the_quick_start",
    "pip install .": "packaging/test_install.py::test_pip_install",
    "python setup.py install": "packaging/test_install.py::test_setup_py_install",
    "$ python -m fapws hello:app": "docs/test_readme.py::test_the_quick_start",
    "$ curl http://127.0.0.1:8000/": "docs/test_readme.py::test_the_quick_start",
    "python -m fapws --bind 0.0.0.0:8000 --workers 4 --access-log - hello:app": (
        "docs/test_readme.py::test_serve_an_application"
    ),
    "python -m fapws --help": "docs/test_readme.py::test_help_has_the_options",
    "python2.7 setup.py build_ext --inplace": "docs/test_readme.py::test_replace_the_so",
    "python2.7 -m fapws.replace": "docs/test_readme.py::test_replace_the_so",
    "python2.7 -m fapws.replace --back": "docs/test_readme.py::test_replace_the_so",
    "python2.7 -m fapws.replace /srv/site/lib": "packaging/test_replace.py::test_there_and_back",
    "python2.7 -m pip install .": "packaging/test_install.py::test_pip_replaces_the_original",
    "python3 -m pip install .": "packaging/test_install.py::test_pip_install",
    "FAPWS_DIALECT=standard python2.7 program.py": "docs/test_readme.py::test_the_program",
    "python3 program.py": "docs/test_readme.py::test_the_program",
    # Ten minutes of load: what it runs is asked for its options.
    "make bench": "docs/test_readme.py::test_the_benchmark",
}


class Typed(Listening):
    """A command that will serve on `port` of this machine, after whatever it does first."""

    def __init__(self, command, port, folder, cwd=None, env=None):
        super().__init__(command, folder, env, cwd=cwd)
        self.address = ("127.0.0.1", port)

    def start(self):
        """Run the command and wait until it serves; returns self."""
        super().start()
        wait_until(self._answers, f"{self.command} to serve", patience=600)
        return self

    def _answers(self):
        assert self.alive, self._transcript()
        try:
            Client(self.address).close()
        except ConnectionRefusedError:
            return False
        return True


def program(port):
    """The README's program, on another port of this machine."""
    (found,) = [block for block in blocks("README.md") if "def hello(environ" in block]
    assert '"0.0.0.0", "8080"' in found
    return found.replace('"0.0.0.0", "8080"', f'"127.0.0.1", "{port}"')


def test_each_command_has_a_test():
    words = r"(?:\$ )?(?:[A-Z_]+=\S+ )?(?:make|pip|curl|python[\d.]*) [^`]+"
    inline = re.findall(rf"`({words})`", text("README.md"))
    typed = [line for block in blocks("README.md") for line in block.splitlines()]
    typed = [line for line in typed if re.fullmatch(words, line)]
    assert sorted(set(inline + typed)) == sorted(COMMANDS)
    for test in set(COMMANDS.values()):
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / "tests/python" / file).read_text(), test


@pytest.mark.parametrize("dialect", [None, "standard"])
def test_the_program(interpreter, dialect, start_process):
    port = free_port()
    env = {"FAPWS_DIALECT": dialect} if dialect else {}
    server = start_process(Typed, [interpreter.python, "-c", program(port)], port, env=env)
    answer = server.get("/hello")
    assert answer.body == b"Hello World!!"
    legacy = interpreter.major == 2 and not dialect
    assert answer.version == ("HTTP/1.0" if legacy else "HTTP/1.1")


def quick_start(name):
    """The install command, the file and the session of the quick start in a page."""
    if name == "README.md":
        return blocks(name, "## Quick start")
    install, *others = [each.text.rstrip("\n") for each in fences(name)]
    return [install, *others]


def test_the_two_quick_starts_agree():
    assert quick_start("README.md") == quick_start("docs/index.md")


class AtATerminal(Typed):
    """A command whose stderr is a terminal; what it prints there is in `screen`."""

    def start(self):
        """Run the command and wait until it serves; returns self."""
        self.screen, far = pty.openpty()
        self.folder.mkdir(parents=True)
        for stream in ("stdout", "stderr"):
            self._path(stream).touch()
        self._popen = subprocess.Popen(
            self.command, stderr=far, stdout=far, cwd=self.cwd, env=self.env
        )
        os.close(far)
        wait_until(self._answers, f"{self.command} to serve")
        return self


def without_versions(said):
    """Lines with each number's digits replaced, since versions differ from machine to machine."""
    plain = re.sub(r"\x1b\[\d*m|\r", "", said)
    return re.sub(r"\d+(\.\d+)+", "N", re.sub(r"127\.0\.0\.1:\d+", "HERE", plain))


def test_the_quick_start(python3, tmp_path, start_process):
    install, source, session = quick_start("README.md")
    venv, install = install.splitlines()
    assert (venv, install) == (
        "python3 -m venv venv && . venv/bin/activate", "pip install . flask")
    (tmp_path / "hello.py").write_text(source + "\n")
    first, _, second = session.partition("\n\n")
    command, *banner = first.splitlines()
    assert command == "$ python -m fapws hello:app"
    assert second.splitlines()[0] == "$ curl http://127.0.0.1:8000/"
    port = free_port()
    env = {"PYTHONPATH": str(python3.library("flask==3.1.2"))}
    words = [python3.python, *command.split()[2:], "--bind", f"127.0.0.1:{port}"]
    server = start_process(AtATerminal, words, port, cwd=tmp_path, env=env)
    said = os.read(server.screen, 10_000).decode()
    assert without_versions(said).split("\n")[: len(banner)] == [
        without_versions(line) for line in banner
    ]
    assert server.get("/").body.decode() == second.partition("\n")[2] + "\n"


def test_serve_an_application(interpreter, tmp_path, start_process):
    (tmp_path / "hello.py").write_text(
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [b'Hello from the command']\n"
    )
    (command,) = commands("README.md", "## You want a small, fast server")
    python, *words = command.split()
    assert python == "python"
    port = free_port()
    words[words.index("0.0.0.0:8000")] = f"127.0.0.1:{port}"
    server = start_process(Typed, [interpreter.python, *words], port, cwd=tmp_path)
    answer = server.get("/")
    assert (answer.version, answer.body) == ("HTTP/1.1", b"Hello from the command")
    server.wait_for_output('"GET / HTTP/1.1" 200 22')


def test_help_has_the_options(interpreter):
    # Not from the project's folder, where an unbuilt package lies.
    told = run(interpreter.python, "-m", "fapws", "--help", cwd=interpreter.folder)
    page = section("README.md", "## You want a small, fast server")
    for option in re.findall(r"--[a-z][a-z-]+", page):
        assert option in told


@pytest.fixture
def clone(tmp_path):
    """A copy of the project as a clone has it."""
    return copy_of_sources(tmp_path / "clone")


@pytest.mark.skipif(not shutil.which("make"), reason="no make on this machine")
class TestMake:
    """The words of the Makefile that the README names."""

    @pytest.mark.long(10)
    def test_make_serve(self, python3, clone, start_process):
        port = free_port()
        command = ["make", "serve", f"PYTHON={python3.interpreter.executable}", f"PORT={port}"]
        server = start_process(Typed, command, port, cwd=clone, env=QUICK_BUILD)
        assert b"Hello" in server.get("/hello").body
        # What one clicks on.
        assert f"http://127.0.0.1:{port}/hello\n" in server.stdout
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            Client(server.address)

    def test_make_test(self):
        would = self.output("make", "-n", "test")
        assert "cargo test" in would and "cargo clippy" in would and "-m pytest" in would
        assert "make test" in (ROOT / ".ci/run").read_text()

    def test_make_quick(self):
        would = self.output("make", "-n", "quick")
        assert "cargo test" in would and "FAPWS_TEST_PYTHONS=newest" in would

    def test_make_help(self):
        told = self.output("make", "help")
        named = set(re.findall(r"`make ([a-z-]+)", text("README.md")))
        named |= set(re.findall(r"^    make ([a-z-]+)", text("README.md"), re.M))
        for word in named:
            assert re.search(rf"^make {word} ", told, re.M), word

    def test_make_wheel(self):
        # `distributions.py`, which it ends with, installs what it made.
        assert "tests/python/packaging/distributions.py" in self.output("make", "-n", "wheel")
        words = ["PYTHON=python2.7", "TARGET=aarch64-unknown-linux-gnu"]
        would = self.output("make", "-n", "wheel", *words)
        assert ".ci/wheel python2.7 aarch64-unknown-linux-gnu dist" in would

    def test_make_check_targets(self):
        would = self.output("make", "-n", "check-targets")
        for name in ("freebsd", "openbsd", "netbsd", "apple-darwin", "musl", "i686"):
            assert name in would

    @staticmethod
    def output(*command):
        return subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
        ).stdout


def test_replace_the_so(pristine_built, python2, clone, tmp_path, start_process):
    site = tmp_path / "site"
    shutil.copytree(pristine_built.site_packages / "fapws", site / "fapws")
    folder = tmp_path / "bin"
    folder.mkdir()
    # The deployment's Python: what is at hand, with the original installed.
    wrapper = folder / "python2.7"
    wrapper.write_text(f'#!/bin/sh\nPYTHONPATH={site} exec {pristine_built.python} "$@"\n')
    wrapper.chmod(0o755)
    cargo = cargo_that_has_built(python2.extension, tmp_path)
    env = clean_environment({"PATH": f"{folder}:{os.environ['PATH']}", "CARGO": str(cargo)})
    build, replace, back = commands("README.md", "### Replace the `.so`")

    def type_in(*lines):
        script = "\n".join(["set -e", *lines])
        subprocess.run(["sh", "-c", script], cwd=clone, env=env, check=True)

    def is_ours():
        test = "import fapws._evwsgi as core, fapws; print(hasattr(core, 'stats'), fapws.__file__)"
        answer = subprocess.run(
            [wrapper, "-c", test], cwd="/", stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        assert str(site) in answer
        return answer.startswith("(True")

    def serves():
        port = free_port()
        server = start_process(Typed, [wrapper, "-c", program(port)], port)
        answer = server.get("/hello")
        assert answer.header("Server") == "fapws3/0.11"
        assert answer.body == b"Hello World!!"
        if is_ours():
            server.stop().check()
        else:
            server.kill()

    assert not is_ours()
    serves()
    type_in(build, replace)
    assert is_ours()
    serves()
    type_in(back)
    assert not is_ours()
    serves()


def test_the_benchmark():
    assert "tests/bench/run.py" in (ROOT / "Makefile").read_text()
    told = subprocess.run(
        [sys.executable, ROOT / "tests/bench/run.py", "--help"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    assert "--scenarios" in told and "--servers" in told


def test_links_lead_somewhere():
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        # What stands in code only looks like a link.
        prose = re.sub(r"```.*?```|`[^`\n]*`", "code", page.read_text(), flags=re.S)
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose):
            assert (page.parent / link).exists(), f"{page.name}: {link}"

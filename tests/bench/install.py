"""Brings the servers here: peers from the package index, ours and the original built.

Everything lies under build/bench and in the environments of tests/python/support, so that a
second run starts at once. A server that cannot be had is not left out in silence: `Missing` says
which and why, and the report repeats it. A failed peer is remembered and not tried again until
`--reinstall`.
"""

import json
import pathlib
import shutil
import subprocess
import sys
from dataclasses import dataclass

from support import ROOT, environment, interpreters, pristine
from support.environment import BuildError, Environment
from support.process import clean_environment
from scenarios import MEBIBYTE
from servers import HERE, LIMIT, ORIGINAL, OURS, SWAPPED, Running

FOLDER = ROOT / "build" / "bench"
#: The oldest Python 3 that all peers are made for.
OLDEST = (3, 11)
VERSION = """
import sys
try:
    from importlib.metadata import version
except ImportError:
    from pkg_resources import get_distribution
    version = lambda name: get_distribution(name).version
print(version(sys.argv[1]))
"""
FLASK = ("flask",)


class Missing(Exception):
    """This server cannot be had here, and why."""


@dataclass(frozen=True)
class Site:
    """Where a server is installed: the Python that runs it, more for PYTHONPATH, its version."""

    python: str
    path: str = ""
    version: str = ""


class Installation:
    """The servers of one run. `python` runs the peers; `ours`, if given, is one that has fapws."""

    def __init__(self, python=None, ours=None, reinstall=False):
        FOLDER.mkdir(parents=True, exist_ok=True)
        self.interpreter = interpreters.probe(python or sys._base_executable)
        if self.interpreter is None or self.interpreter.version[:2] < OLDEST:
            wanted = ".".join(map(str, OLDEST))
            raise Missing(
                f"{python or sys.executable} is no Python {wanted} or newer that can be used"
            )
        self._ours = ours
        self._peers = Environment(self.interpreter, FOLDER / f"peers-{self.interpreter.name}")
        self._failures = self._peers.folder / "failed.json"
        self._sites = {}
        if reinstall or not pathlib.Path(self._peers.python).exists():
            self._peers.create()

    def site(self, server):
        """Where `server` is, installed first if need be; raises `Missing`."""
        if server not in self._sites:
            try:
                self._sites[server] = self._install(server)
            except (BuildError, OSError) as failure:
                self._sites[server] = Missing(_reason(str(failure)))
            except Missing as failure:
                self._sites[server] = failure
        found = self._sites[server]
        if isinstance(found, Missing):
            raise found
        return found

    def process(self, server, scenario, app=None):
        """`server` made ready to `start` for the scenario, or for another application."""
        site = self.site(server)
        if server is LIMIT:
            mode = [str(word).format(file=_file()) for word in scenario.limit]

            def words(port):
                return [site.python, port, *mode]
        else:

            def words(port):
                return server.command(site, port, app or scenario.app)

        log = FOLDER / f"{server.name}.log"
        return Running(server, words, clean_environment(variables(site)), log)

    def _install(self, server):
        if server is LIMIT:
            return Site(str(_compiled(HERE / "epoll.c", FOLDER / "epoll")))
        if server is OURS:
            return self._our_site()
        if server in (ORIGINAL, SWAPPED):
            return legacy_site(server)
        return self._peer_site(server)

    def _our_site(self):
        self._index_packages("flask", FLASK)
        flask = str(self._peers.site_packages)
        if self._ours:
            return Site(self._ours, flask, _version(self._ours, "fapws3"))
        ours = environment.installed(self.interpreter)
        return Site(ours.python, flask, _version(ours.python, "fapws3"))

    def _peer_site(self, server):
        self._index_packages(server.distribution, server.requirements)
        self._index_packages("flask", FLASK)
        python = self._peers.python
        return Site(python, "", _version(python, server.distribution))

    def _index_packages(self, distribution, requirements):
        """Have pip install the words into the peers' environment, unless it has or could not."""
        failed = json.loads(self._failures.read_text()) if self._failures.exists() else {}
        if distribution in failed:
            raise Missing(failed[distribution])
        if _version(self._peers.python, distribution):
            return
        try:
            self._peers.pip("install", *requirements)
        except BuildError as failure:
            (FOLDER / f"install-{distribution}.log").write_text(str(failure))
            failed[distribution] = f"pip: {_reason(str(failure))}"
            self._failures.write_text(json.dumps(failed, indent=1))
            raise Missing(failed[distribution]) from None


def variables(site):
    """What a server's process has in its environment besides what every process has."""
    return {
        "BENCH_FILE": str(_file()),
        "PYTHONPATH": site.path,
        # Byte code is kept, as in a deployment: compiling it would count as the server's size.
        "PYTHONDONTWRITEBYTECODE": "",
    }


def _file():
    """The mebibyte that the file scenario sends."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "mebibyte.bin"
    if not path.exists():
        path.write_bytes(b"x" * MEBIBYTE)
    return path


def _compiled(source, program):
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        environment.run("cc", "-O2", "-Wall", "-Wextra", "-o", program, source)
    return program


def legacy_site(server):
    """The original on Python 2.7, or its Python files with our core in the place of its own."""
    python2 = next((each for each in interpreters.found() if each.version[0] == 2), None)
    if python2 is None:
        raise Missing("no Python 2.7")
    original = pristine.built(python2)
    if server is ORIGINAL:
        return Site(original.python, "", pristine.REQUIREMENT.partition("==")[2])
    folder = FOLDER / "swapped"
    shutil.rmtree(folder, ignore_errors=True)
    uncompiled = shutil.ignore_patterns("*.c", "*.h", "*.so")
    shutil.copytree(pristine.unpacked(python2) / "fapws", folder / "fapws", ignore=uncompiled)
    ours = environment.installed(python2)
    shutil.copy(ours.extension, folder / "fapws" / "_evwsgi.so")
    return Site(original.python, str(folder), _version(ours.python, "fapws3"))


def _version(python, distribution):
    """The version of an installed distribution; empty when it is not there."""
    answer = subprocess.run(
        [python, "-c", VERSION, distribution],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
        env=clean_environment(),
    )
    return answer.stdout.strip()


def _reason(output):
    """The line of a failed command's output that says most."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [line for line in lines if "error:" in line.lower()]
    return (told or lines or ["no output"])[-1][:160]

"""Brings the servers here: peers from the package index, ours and the original built.

Everything lies under build/bench and in the environments of tests/python/support, so that a
second run starts at once. A server that cannot be had is not left out in silence: `Missing` says
which and why, and the report has it. A failed peer is remembered and not tried again until
`--reinstall`.
"""

import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys
from dataclasses import dataclass

from support import ROOT, environment, interpreters, pristine
from support.environment import BuildError, Environment
from support.process import clean_environment
from scenarios import MEBIBYTE, SMALL_FILE_SIZE, SMALL_FILES
from servers import BEFORE, HERE, LIMIT, ORIGINAL, SWAPPED, Launch, Running

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
#: What applications import, by distribution.
FRAMEWORKS = ("flask", "django")
#: What draws the picture.
PLOTTER = "matplotlib"


class Missing(Exception):
    """This server cannot be had here, and why."""


@dataclass(frozen=True)
class Site:
    """Where a server is installed: the Python that runs it, more for PYTHONPATH, its version."""

    python: str
    path: str = ""
    version: str = ""


class Installation:
    """The servers of one run. `python` runs the peers; `ours` and `before` have fapws installed."""

    def __init__(self, python=None, ours=None, before=None, reinstall=False):
        FOLDER.mkdir(parents=True, exist_ok=True)
        self.interpreter = interpreters.probe(python or sys._base_executable)
        if self.interpreter is None or self.interpreter.version[:2] < OLDEST:
            wanted = ".".join(map(str, OLDEST))
            raise Missing(
                f"{python or sys.executable} is no Python {wanted} or newer that can be used"
            )
        self._ours = ours
        self._before = before
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

    def process(self, server, scenario, app=None, threads=None):
        """`server` made ready to `start` for the scenario, or for another application of plain.

        `threads` overrides the scenario's number of threads for the application.
        """
        site = self.site(server)
        log = FOLDER / f"{server.name}.log"
        access_log = ""
        if scenario.logged and server is not LIMIT and server.fixed.get("log") != "":
            access_log = str(FOLDER / f"{server.name}.access.log")

        def words(address):
            if server is LIMIT:
                mode = [str(word).format(file=_file()) for word in scenario.limit]
                return [site.python, address, *mode]
            launch = Launch(
                site.python,
                app or scenario.app,
                address,
                (threads or scenario.threads) if server.threads else 1,
                access_log,
                scenario.prefix,
            )
            return server.command(dataclasses.replace(launch, **server.fixed))

        environment = clean_environment(variables(site))
        unix = scenario.proxied == "unix"
        return Running(server, words, environment, log, unix, access_log)

    def draw(self, record, picture, *words):
        """Have chart.py draw a results file, in an environment that has a plotting library."""
        plotter = Environment(self.interpreter, FOLDER / f"chart-{self.interpreter.name}")
        if not pathlib.Path(plotter.python).exists():
            plotter.create()
        if not _version(plotter.python, PLOTTER):
            plotter.pip("install", PLOTTER)
        environment.run(plotter.python, HERE / "chart.py", record, picture, *words)

    def _install(self, server):
        if server is LIMIT:
            return Site(str(_compiled(HERE / "epoll.c", FOLDER / "epoll")))
        if server in (ORIGINAL, SWAPPED):
            return legacy_site(server)
        if server is BEFORE:
            if not self._before:
                raise Missing("no --before")
            return self._site_of(self._before)
        if server.distribution is None:
            ours = self._ours or environment.installed(self.interpreter).python
            return self._site_of(ours)
        return self._peer_site(server)

    def _site_of(self, python):
        """A Python that has fapws, with the applications' frameworks from the peers'."""
        for each in FRAMEWORKS:
            self._index_packages(each, (each,))
        return Site(python, str(self._peers.site_packages), _version(python, "fapws3"))

    def _peer_site(self, server):
        self._index_packages(server.distribution, server.requirements)
        for each in FRAMEWORKS:
            self._index_packages(each, (each,))
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
        "BENCH_FILES": str(_small_files()),
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


def _small_files():
    """The folder of the twenty files that the scenario of that name reads."""
    folder = FOLDER / "small"
    if not folder.exists():
        partial = folder.with_suffix(".part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for number in range(SMALL_FILES):
            (partial / f"{number:02}.txt").write_bytes(b"x" * SMALL_FILE_SIZE)
        partial.rename(folder)
    return folder


def _compiled(source, program):
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        environment.run("cc", "-O2", "-Wall", "-Wextra", "-o", program, source)
    return program


def legacy_site(server, folder=FOLDER / "swapped"):
    """The original on Python 2.7, or its Python files in `folder` with our core for its own."""
    python2 = next((each for each in interpreters.found() if each.version[0] == 2), None)
    if python2 is None:
        raise Missing("no Python 2.7")
    original = pristine.built(python2)
    if server is ORIGINAL:
        return Site(original.python, "", pristine.REQUIREMENT.partition("==")[2])
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

"""A virtual environment of one interpreter, and the package installed into it.

The package is installed the way its users do it, as a wheel that `setup.py` built with cargo, but
only when the sources changed since the last time: a digest of them lies in the environment. A
lock on a file keeps two test runs from building at once.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

from . import ROOT

#: What decides the bytes of an installed package, as glob patterns under the project's folder.
SOURCES = [
    "Cargo.toml",
    "Cargo.lock",
    "build.rs",
    "setup.py",
    "pyproject.toml",
    "src/**/*.rs",
    "src/**/*.c",
    "fapws/**/*.py",
    "fapws/**/*.pyi",
]

#: Where cargo puts the cores that tests only install and ask for a page, from one run to the next;
#: and how it compiles them: soon, not fast.
QUICK_BUILD = {
    "CARGO_TARGET_DIR": str(ROOT / "build" / "tests" / "cargo"),
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "0",
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
}

#: What setup.py needs where the interpreter does not bring it.
BUILD_TOOLS = ["setuptools", "wheel"]


#: Where pytest keeps what it compiles of the tests, and whether. What is installed here is compiled
#: beside its source, where the programs under test look for it: it saves each of them the time.
OF_THE_DRIVER = ("PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE")


class BuildError(Exception):
    """A command of the set-up failed; the text is its output."""


def run(*command, **options):
    """Run a command of the set-up and return its output, which is BuildError's text if it fails."""
    env = {name: value for name, value in os.environ.items() if name not in OF_THE_DRIVER}
    answer = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        check=False,
        **{"env": env, **options},
    )
    if answer.returncode != 0:
        shown = " ".join(map(str, command))
        raise BuildError(f"{shown}: exit code {answer.returncode}\n{answer.stdout}")
    return answer.stdout


class Environment:
    """A virtual environment: `python` runs in it, `version` is its interpreter's."""

    def __init__(self, interpreter, folder):
        self.interpreter = interpreter
        self.folder = pathlib.Path(folder)

    def __repr__(self):
        return f"<Environment {self.interpreter.name} in {self.folder}>"

    @property
    def name(self):
        """`py2.7`, `py3.13`, ..."""
        return self.interpreter.name

    @property
    def version(self):
        """(major, minor, micro) of the interpreter."""
        return self.interpreter.version

    @property
    def major(self):
        """2 or 3."""
        return self.version[0]

    @property
    def python(self):
        """Path of the environment's Python."""
        return str(self.folder / "bin" / "python")

    def create(self):
        """Make the environment anew, with pip and the tools setup.py needs."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.major == 2:
            executable = self.interpreter.executable
            run(sys.executable, "-m", "virtualenv", "-q", "-p", executable, self.folder)
        else:
            run(self.interpreter.executable, "-m", "venv", self.folder)
            self.pip("install", *BUILD_TOOLS)
        return self

    def pip(self, *arguments, **options):
        """Run the environment's pip, quietly; returns its output."""
        quiet = ["-q", "--disable-pip-version-check"]
        return run(self.python, "-m", "pip", *quiet, *arguments, **options)

    def library(self, *requirements):
        """A folder, for PYTHONPATH, with distributions that a test's application needs.

        It is filled from the package index once and kept beside the environment's own packages,
        so that tests may need different versions of one distribution.
        """
        folder = self.folder / "libraries" / _digest_of_text(*requirements)
        with exclusive(f"library-{self.name}-{folder.name}"):
            if not folder.exists():
                partial = folder.with_suffix(".part")
                shutil.rmtree(partial, ignore_errors=True)
                self.pip("install", "--target", partial, *requirements)
                partial.rename(folder)
        return folder

    def evaluate(self, expression):
        """The `repr` of a Python expression, as the environment's interpreter prints it."""
        program = f"import sys; sys.stdout.write(repr({expression}))"
        return run(self.python, "-c", program, cwd=self.folder)

    @property
    def site_packages(self):
        """The folder packages are installed into."""
        name = "python" + ".".join(map(str, self.version[:2]))
        return self.folder / "lib" / name / "site-packages"

    @property
    def extension(self):
        """Path of the installed core: `_evwsgi.so` on 2.7, a name with the ABI's tag on 3."""
        (path,) = (self.site_packages / "fapws").glob("_evwsgi*.so")
        return path


def installed(interpreter):
    """The environment of this interpreter with the project's current sources installed."""
    environment = Environment(interpreter, ROOT / f".venv-{interpreter.name}")
    marker = environment.folder / ".installed-digest"
    # FAPWS_ABI3 has the whole suite test what the published wheel holds (setup.py).
    abi3 = os.environ.get("FAPWS_ABI3", "")
    identity = [interpreter.executable, repr(interpreter.version), abi3]
    digest = _digest_of_text(*identity, _digest_of_sources())
    with exclusive(f"venv-{interpreter.name}"):
        if not marker.exists():
            environment.create()
        if not marker.exists() or marker.read_text() != digest:
            _install(environment)
            marker.write_text(digest)
        return _measured(environment)


def _measured(environment):
    """Have its programs measure coverage where `make coverage` asks for it, and only then."""
    startup = environment.site_packages / "coverage-of-fapws.pth"
    if "COVERAGE_PROCESS_START" not in os.environ:
        startup.unlink(missing_ok=True)
    elif environment.major == 3:
        library = str(environment.library("coverage==7.17.5"))
        begin = "import coverage; coverage.process_startup()"
        startup.write_text(f"import sys; sys.path.append({library!r}); {begin}\n")
    return environment


def _install(environment):
    """Build a wheel from the work tree and put it into the environment."""
    base = ROOT / "build" / "tests" / environment.name
    shutil.rmtree(base, ignore_errors=True)
    setup = ["setup.py", "-q", "egg_info", "--egg-base", base, "build", "--build-base", base]
    base.mkdir(parents=True)
    run(environment.python, *setup, "bdist_wheel", "--dist-dir", base / "dist", cwd=ROOT)
    (wheel,) = (base / "dist").glob("*.whl")
    environment.pip("install", "--no-index", "--no-deps", "--force-reinstall", wheel)


def source_distribution(environment, folder):
    """Pack the source distribution into `folder`; returns the archive's path."""
    words = ["setup.py", "-q", "egg_info", "--egg-base", folder, "sdist", "--dist-dir", folder]
    # setuptools gathers the files in a folder of the project.
    with exclusive("sdist"):
        run(environment.python, *words, cwd=ROOT)
    (archive,) = folder.glob("*.tar.gz")
    return archive


def cargo_that_has_built(core, folder):
    """A program that says what cargo says after it has made this core."""
    message = {
        "reason": "compiler-artifact",
        "target": {"name": "_evwsgi"},
        "filenames": [str(core)],
    }
    program = folder / "cargo"
    program.write_text(
        "#!/bin/sh\n"
        f"if [ $1 = --version ]; then echo cargo 99.0.0; else echo '{json.dumps(message)}'; fi\n"
    )
    program.chmod(0o755)
    return program


def copy_of_sources(folder):
    """A copy of the project as a clone has it: no environment, no build. Returns `folder`."""
    shutil.copytree(ROOT, folder, ignore=_made_here)
    return folder


def _made_here(folder, names):
    top = {"build", "dist", "target", ".git"} if pathlib.Path(folder) == ROOT else set()
    made = ("__pycache__", ".venv", ".pytest_cache", ".ruff_cache")
    made += ("fapws3-",) if pathlib.Path(folder) == ROOT else ()
    return [name for name in names if name in top or name.startswith(made) or name.endswith(".so")]


@contextlib.contextmanager
def exclusive(name):
    """Hold the lock `name` against every other test process of this work tree."""
    folder = ROOT / "build" / "tests"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest_of_sources():
    digest = hashlib.sha256()
    for pattern in SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(os.fsencode(path.relative_to(ROOT)) + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _digest_of_text(*words):
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]

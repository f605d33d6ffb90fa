"""Builds and installs Fapws: the Python package `fapws` and its core, `fapws._evwsgi`, in Rust.

    python setup.py install                 for the interpreter that runs it, 2.7 or 3.9 and later
    python setup.py build_ext --inplace     the core beside fapws/base.py, for development

One source for Python 2.7 with the setuptools of its day and for every later Python; `pip install .`
comes here too (pyproject.toml). The core is compiled by cargo; nothing but crates is downloaded.
Where setuptools is missing, which Python 3.12 and later do not bring, `build_ext --inplace` still
works: it needs nothing of it.

FAPWS_ABI3=1 builds for the limited API: one file for every Python 3, a little slower.
"""

from __future__ import print_function

import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig

try:
    import setuptools
except ImportError:
    setuptools = None

HERE = os.path.dirname(os.path.abspath(__file__))
# Named one by one: find_packages has no `include` before setuptools 3.3, and RHEL 7 brings 0.9.8.
PACKAGES = ["fapws", "fapws.contrib", "fapws.contrib.siforms"]
PYTHON_3 = sys.version_info[0] >= 3
ABI3 = PYTHON_3 and os.environ.get("FAPWS_ABI3") == "1"
# Python 2.7's distutils warns about the word.
LIMITED_API = {"py_limited_api": True} if ABI3 else {}


def read(name):
    """The text of one of the project's files."""
    with io.open(os.path.join(HERE, name), encoding="utf-8") as source:
        return source.read()


def manifest(key):
    """A string of Cargo.toml, where the version and the oldest Rust are written down."""
    return str(re.search(r'^%s = "([^"]+)"' % re.escape(key), read("Cargo.toml"), re.M).group(1))


class CannotBuild(Exception):
    """Why the core cannot be compiled, in one line."""


def find_cargo():
    """The command line of a cargo that is new enough for the crate."""
    cargo = os.environ.get("CARGO", "cargo")
    oldest = manifest("rust-version")
    needed = "the core of fapws is compiled by cargo, Rust %s or newer; " % oldest
    remedy = "; install Rust with rustup or from your system's packages (cargo, rust)"
    try:
        # Not check_output: a rustup without a toolchain is no cargo either.
        process = subprocess.Popen([cargo, "--version"], stdout=subprocess.PIPE)
        version = process.communicate()[0].decode("utf-8", "replace")
    except OSError:
        raise CannotBuild(needed + "there is none on PATH" + remedy)
    found = re.match(r"cargo (\d+)\.(\d+)", version)
    if process.returncode != 0 or not found:
        raise CannotBuild(needed + "the one on PATH does not run" + remedy)
    if [int(part) for part in found.groups()] < [int(part) for part in oldest.split(".")[:2]]:
        raise CannotBuild(needed + "the one on PATH is " + version.strip() + remedy)
    return cargo


def compile_core(destination):
    """Compile the crate for this interpreter and copy the extension module to `destination`."""
    feature = "abi3" if ABI3 else "python3" if PYTHON_3 else "python2"
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(HERE, "build", "cargo"))
    version = "%s-%d.%d" % ((feature,) + tuple(sys.version_info[:2]))
    environ = dict(
        os.environ,
        # A folder for each interpreter, so that building for one does not undo another's.
        CARGO_TARGET_DIR=os.path.join(target, version),
        PYO3_PYTHON=sys.executable,
        # libpython is not linked: the interpreter that imports the module has its symbols.
        PYO3_BUILD_EXTENSION_MODULE="1",
    )
    command = [find_cargo(), "build", "--release", "--locked", "--lib"]
    command += ["--no-default-features", "--features", feature]
    command += ["--message-format", "json-render-diagnostics"]
    process = subprocess.Popen(command, cwd=HERE, env=environ, stdout=subprocess.PIPE)
    messages = [json.loads(line.decode("utf-8")) for line in process.stdout]
    if process.wait() != 0:
        raise CannotBuild("cargo could not compile the core of fapws: its message is above")
    library = shared_library(messages)
    folder = os.path.dirname(destination)
    if not os.path.isdir(folder):
        os.makedirs(folder)
    # A new file, not new content: a server may have the old one mapped.
    shutil.copyfile(library, destination + ".new")
    os.rename(destination + ".new", destination)


def shared_library(messages):
    """The path of the crate's shared library, from what cargo says it has made."""
    for message in messages:
        if message["reason"] == "compiler-artifact" and message["target"]["name"] == "_evwsgi":
            for name in message["filenames"]:
                if name.endswith((".so", ".dylib")):
                    return name
    raise CannotBuild("cargo reports no shared library of the core of fapws")


def compile_in_place():
    """What `build_ext --inplace` does, without setuptools."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX") or sysconfig.get_config_var("SO")
    compile_core(os.path.join(HERE, "fapws", "_evwsgi" + (".abi3.so" if ABI3 else suffix)))


def main():
    """Hand the package to setuptools."""
    from distutils.errors import DistutilsSetupError
    from setuptools.command.build_ext import build_ext

    class BuildCore(build_ext):
        """Has cargo do what a C compiler would."""

        def build_extension(self, extension):
            """Compile the core to where setuptools wants it."""
            try:
                compile_core(os.path.abspath(self.get_ext_fullpath(extension.name)))
            except CannotBuild as reason:
                raise DistutilsSetupError(str(reason))

    setuptools.setup(
        # The original's name, so that pip replaces an installed one instead of mixing the two.
        name="fapws3",
        version=manifest("version"),
        description="Fast Asynchronous Python Web Server: a WSGI server in Rust on libev",
        long_description=read("README.md"),
        long_description_content_type="text/markdown",
        license="GPL-2.0-only",
        python_requires=">=2.7," + ",".join("!=3.%d.*" % minor for minor in range(9)),
        packages=PACKAGES,
        package_data={"": ["*.pyi"], "fapws": ["py.typed"]},
        entry_points={
            "console_scripts": ["fapws = fapws.__main__:main"],
            "paste.server_runner": ["main = fapws.contrib.paste:serve"],
        },
        zip_safe=False,
        ext_modules=[setuptools.Extension("fapws._evwsgi", sources=[], **LIMITED_API)],
        cmdclass={"build_ext": BuildCore},
        options={"bdist_wheel": {"py_limited_api": "cp39"}} if ABI3 else {},
        classifiers=[
            "Environment :: Web Environment",
            "Intended Audience :: Developers",
            "Operating System :: POSIX",
            "Programming Language :: Python :: 2.7",
            "Programming Language :: Python :: 3",
            "Programming Language :: Rust",
            "Topic :: Internet :: WWW/HTTP :: WSGI :: Server",
        ],
    )


if setuptools:
    main()
elif sys.argv[1:] == ["build_ext", "--inplace"]:
    try:
        compile_in_place()
    except CannotBuild as reason:
        sys.exit("error: %s" % reason)
else:
    sys.exit(
        "error: this Python has no setuptools: run `pip install .`, which brings it along, "
        "or `pip install setuptools` first"
    )

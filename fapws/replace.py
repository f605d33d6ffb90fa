"""Replaces the core of an installed Fapws3 0.11 by this one: `python2.7 -m fapws.replace`.

    python2.7 -m fapws.replace                  the Fapws3 that this python2.7 imports
    python2.7 -m fapws.replace /srv/site/lib    one in a folder of its own
    python2.7 -m fapws.replace --back           put the original core back

Owns the exchange of one file, `fapws/_evwsgi.so`. The installation may be flat, an unpacked egg, or
a copy in a program's own folder. The original is kept beside it as `_evwsgi.so.original`. Before
anything is changed, the new core has to serve a request with the installation's own files. Each
change is a rename, so a running server keeps the file that it has mapped.

Exit codes: 0, done, or nothing to do; 1, nothing was changed, for the reason on stderr; 2, wrong
arguments.
"""

from __future__ import print_function

import argparse
import os
import re
import shutil
import subprocess
import sys
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
CORE = "_evwsgi.so"
ORIGINAL = CORE + ".original"

#: The version whose Python files the core is tested with.
VERSION = "0.11"

#: Bytes that only one of the two cores holds.
_OURS, _THEIRS = b"FAPWS_DIALECT", b"init_evwsgi"

#: Serves one request with the package in argv[1] and the core in argv[2].
_TRIAL = """
import imp, os, signal, socket, sys, threading
sys.path.insert(0, sys.argv[1])
import fapws
core = imp.load_dynamic("fapws._evwsgi", sys.argv[2])
fapws._evwsgi = core
from fapws import base
def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["a trial"]
core.start("127.0.0.1", "0")
core.set_base_module(base)
core.wsgi_cb(("/", hello))
listener = socket.fromfd(core.socket_fd(), socket.AF_INET, socket.SOCK_STREAM)
address = listener.getsockname()
response = []
def client():
    try:
        connection = socket.create_connection(address, 30)
        connection.sendall("GET /trial HTTP/1.0\\r\\n\\r\\n")
        data = connection.recv(65536)
        while data:
            response.append(data)
            data = connection.recv(65536)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=client).start()
core.run()
text = "".join(response)
if not (text[8:13] == " 200 " and text.endswith("\\r\\n\\r\\na trial")):
    sys.exit("the response to the trial was %r" % text[:200])
"""


class Rejected(Exception):
    """Why nothing is changed, in a sentence."""


class Installation(object):
    """An installed package `fapws`: its folder, and what is in it."""

    def __init__(self, folder):
        self.folder = folder
        self.core = os.path.join(folder, CORE)
        self.original = os.path.join(folder, ORIGINAL)

    def is_ours(self):
        """Whether its Python files are this project's, and not the original's."""
        return os.path.isfile(os.path.join(self.folder, "replace.py")) or bool(
            re.search(r"^dialect\b", self._text("config.py"), re.M)
        )

    def version(self):
        """The original's version, as its files or its metadata have it; None when none does."""
        ident = r"""^SERVER_IDENT *= *["']fapws3?/([\d.]+)"""
        found = re.search(ident, self._text("config.py"), re.M)
        return found.group(1) if found else self._version_of_metadata()

    def _version_of_metadata(self):
        # A program may have changed its SERVER_IDENT.
        parent = os.path.dirname(self.folder)
        places = [os.path.join(parent, "EGG-INFO", "PKG-INFO")]
        for name in sorted(os.listdir(parent)):
            if re.match(r"fapws3-.*\.egg-info$", name, re.I):
                place = os.path.join(parent, name)
                places.append(os.path.join(place, "PKG-INFO") if os.path.isdir(place) else place)
            elif re.match(r"fapws3-.*\.dist-info$", name, re.I):
                places.append(os.path.join(parent, name, "METADATA"))
        for place in places:
            found = re.search(r"^Version: ([\d.]*\d)", _read(place).decode("latin-1"), re.M)
            if found:
                return found.group(1)
        return None

    def _text(self, name):
        return _read(os.path.join(self.folder, name)).decode("latin-1")


def kind(path):
    """ "ours", "original" or None: whose core the file at `path` is."""
    content = _read(path)
    if _OURS in content:
        return "ours"
    return "original" if _THEIRS in content else None


def main(arguments=None):
    """Run the command. Returns the exit code."""
    chosen = _parse(arguments)
    try:
        _check_python()
        installation = find(chosen.folder)
        for line in (put_back if chosen.back else replace)(installation):
            print(line)
    except Rejected as reason:
        sys.stderr.write("fapws.replace: nothing is changed: %s\n" % reason)
        return 1
    except (IOError, OSError) as error:
        sys.stderr.write(
            "fapws.replace: %s: %s\n" % (error.filename or "a file", error.strerror or error)
        )
        return 1
    return 0


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python2.7 -m fapws.replace",
        description="Replaces the core of an installed Fapws3 0.11 by this package's. Its Python "
        "files stay as they are. Restart the program afterwards.",
    )
    parser.add_argument(
        "folder", metavar="FOLDER", nargs="?",
        help="the installation: the folder that contains `fapws`, or the folder `fapws` itself "
        "(default: the Fapws3 that this Python imports)",
    )
    parser.add_argument("--back", action="store_true", help="put the original's core back")
    return parser.parse_args(arguments)


def _check_python():
    if sys.version_info[0] != 2:
        raise Rejected(
            "Fapws3 0.11 runs only on Python 2; use the python2.7 that runs it"
        )


# --- Where it is ---------------------------------------------------------------------------------


def find(folder=None):
    """The `Installation` in `folder`, or the first one on sys.path beside this package.

    Raises Rejected where there is none.
    """
    if folder is not None:
        for each in (os.path.join(folder, "fapws"), folder):
            if os.path.isfile(os.path.join(each, "base.py")):
                return Installation(os.path.abspath(each))
        raise Rejected("%s contains no package fapws" % folder)
    zipped = None
    for entry in sys.path:
        each = os.path.join(entry or os.getcwd(), "fapws")
        if os.path.isfile(os.path.join(each, "base.py")):
            if os.path.realpath(each) != os.path.realpath(HERE):
                return Installation(os.path.abspath(each))
        elif zipped is None and _holds_package(entry):
            zipped = entry
    if zipped:
        raise Rejected(
            "%s is a zipped egg, and Python copies its core elsewhere; "
            "install it unpacked first (easy_install --always-unzip)" % zipped
        )
    raise Rejected(
        "this Python (%s) imports no other fapws; if the program has its own copy, name the "
        "folder that contains it: python2.7 -m fapws.replace FOLDER" % sys.executable
    )


def _holds_package(entry):
    if not os.path.isfile(entry) or not zipfile.is_zipfile(entry):
        return False
    archive = zipfile.ZipFile(entry)
    try:
        return "fapws/base.py" in archive.namelist()
    finally:
        archive.close()


# --- There ---------------------------------------------------------------------------------------


def replace(installation):
    """Put our core under `installation`. Returns lines that say what was done.

    Raises Rejected, with everything as it was, where that would not work.
    """
    new = os.path.join(HERE, CORE)
    if not os.path.isfile(new):
        raise Rejected(
            "%s has no compiled core for Python 2: run `python2.7 setup.py build_ext --inplace` "
            "there first" % os.path.dirname(HERE)
        )
    present = kind(installation.core)
    if installation.is_ours():
        _check_ours(installation, present)
    else:
        _check_original(installation)
    if present == "ours" and _read(new) == _read(installation.core):
        return ["%s is already this core" % installation.core]
    _try_out(installation, new)
    done = []
    if present == "original" and not installation.is_ours():
        done += _keep(installation)
    _put(new, installation.core)
    done.append("put this core at %s" % installation.core)
    if present != "original" and kind(installation.original) != "original":
        done.append("no original core is kept beside it: --back will not work")
    done.append("restart the program; to undo this, run %s --back" % _called(installation))
    return done


def _check_ours(installation, present):
    # The trap: `pip install .` leaves ORIGINAL behind, and somebody renames it by hand.
    if present == "original":
        return
    rest = ""
    if os.path.exists(installation.original):
        rest = "; %s is left over from before and can be deleted" % installation.original
    raise Rejected("%s is this project's package, not Fapws3%s" % (installation.folder, rest))


def _check_original(installation):
    if not os.path.isfile(installation.core):
        raise Rejected("%s has no %s: it is not compiled" % (installation.folder, CORE))
    if kind(installation.core) is None:
        raise Rejected("%s is neither the original's core nor ours" % installation.core)
    version = installation.version()
    if version is None:
        raise Rejected("%s does not say which Fapws3 it is" % installation.folder)
    if version != VERSION:
        raise Rejected(
            "%s is Fapws3 %s; this core is for the Python files of %s: upgrade first "
            "(pip install fapws3==0.11.dev)" % (installation.folder, version, VERSION)
        )


def _try_out(installation, core):
    """Serve a request in a process of its own. Raises Rejected where that fails."""
    words = [sys.executable, "-c", _TRIAL, os.path.dirname(installation.folder), core]
    environ = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    environ.pop("FAPWS_DIALECT", None)
    process = subprocess.Popen(
        words, cwd="/", env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output = process.communicate()[0].decode("utf-8", "replace")
    if process.returncode != 0:
        last = output.strip().splitlines()[-1:] or ["exit code %d" % process.returncode]
        raise Rejected("a trial with the files of %s failed: %s" % (installation.folder, last[0]))


def _keep(installation):
    """Keep the core that is there as the original. Returns lines."""
    if os.path.exists(installation.original):
        if _read(installation.original) == _read(installation.core):
            return []
        line = "replaced %s, which was another file, by the core that was in use"
        done = [line % installation.original]
    else:
        done = ["kept the original core as %s" % installation.original]
    _put(installation.core, installation.original)
    return done


# --- And back ------------------------------------------------------------------------------------


def put_back(installation):
    """Put the original core back. Returns lines that say what was done. Raises Rejected."""
    if installation.is_ours():
        raise Rejected(
            "%s is this project's package: its files need this core. The way back is "
            "`pip install fapws3==0.11.dev`" % installation.folder
        )
    if kind(installation.core) == "original":
        return ["%s is already the original core" % installation.core]
    if not os.path.exists(installation.original):
        raise Rejected("there is no %s; reinstall Fapws3" % installation.original)
    if kind(installation.original) != "original":
        raise Rejected("%s is not the original's core; reinstall Fapws3" % installation.original)
    os.rename(installation.original, installation.core)
    return [
        "put the original core back at %s" % installation.core,
        "restart the program",
    ]


def _called(installation):
    """The command for this installation."""
    command = "python2.7 -m fapws.replace"
    if os.path.dirname(installation.folder) in map(os.path.abspath, sys.path):
        return command
    return "%s %s" % (command, os.path.dirname(installation.folder))


def _put(source, destination):
    """Make `destination` a copy of `source`, in one step, with the owner of what it replaces."""
    owner = os.stat(destination if os.path.exists(destination) else source)
    temporary = destination + ".new"
    try:
        shutil.copy2(source, temporary)
        if os.geteuid() == 0:
            os.chown(temporary, owner.st_uid, owner.st_gid)
        os.rename(temporary, destination)
    except (IOError, OSError):
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except (IOError, OSError):
        return b""


if __name__ == "__main__":
    sys.exit(main())

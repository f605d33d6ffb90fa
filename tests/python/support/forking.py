"""A Python that starts programs by forks of itself: what each of them loads first, it has loaded.

    python forking.py

Reads requests, a line of JSON each, and writes a line for each:
    ["start", {"words", "cwd", "env", "stdout", "stderr"}]   the process id
    ["reap", pid]                                            the exit code, as `subprocess` has it
A program is run in a child as `python words...` would run it, a file or `-m` and a module; nothing
of `fapws` is loaded before. Python 2.7 reads this too.
"""

import gc
import json
import os
import runpy
import sys

#: What most programs load, each for some milliseconds. A Python without one of them goes without.
LOADED_FIRST = (
    "argparse atexit codecs copy datetime errno fcntl importlib.machinery importlib.util mmap "
    "pkgutil re select signal socket struct tempfile threading traceback unittest"
)


def load_first():
    """Load what a child need not load again."""
    for name in LOADED_FIRST.split():
        try:
            __import__(name)
        except ImportError:
            pass


def main():
    """Serve requests; returns in a child that is to be a program, with its words."""
    # Not sys.stdin: what it has read ahead would be the child's too.
    requests, results = os.fdopen(os.dup(0), "rb", 0), os.dup(1)
    while True:
        line = requests.readline()
        if not line:
            os._exit(0)
        kind, what = json.loads(line.decode("ascii"))
        if kind == "reap":
            result = code_of(os.waitpid(what, 0)[1])
        else:
            result = os.fork()
            if result == 0:
                requests.close()
                os.close(results)
                return become(what)
        os.write(results, ("%d\n" % result).encode("ascii"))


def code_of(status):
    """The exit code, negative for a signal."""
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def become(what):
    """Be the program: its folder, its variables, its streams. Returns its words."""
    what = {plain(key): value for key, value in what.items()}
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    for descriptor, name in [(1, "stdout"), (2, "stderr")]:
        file = os.open(what[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(file, descriptor)
        os.close(file)
    os.chdir(what["cwd"])
    for name in list(os.environ):
        if name not in what["env"]:
            del os.environ[name]
    for name, value in what["env"].items():
        os.environ[plain(name)] = plain(value)
    return [plain(word) for word in what["words"]]


def plain(text):
    """A native string, of what JSON has: Python 2 reads every string as unicode."""
    return text if isinstance(text, str) else text.encode("utf-8")


def run(words):
    """Run the file words[0], or `-m` and the module words[1], as if it were the program."""
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = [sys.executable] + words
    names = sys.modules["__main__"].__dict__
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    if words[0] == "-m":
        sys.argv[:] = words[1:]
        sys.path[0] = os.getcwd() if sys.version_info[0] > 2 else ""
        # What Python itself calls.
        start, what = runpy._run_module_as_main, (words[1],)
    else:
        sys.argv[:] = words
        sys.path[0] = os.path.dirname(os.path.abspath(words[0]))
        names["__file__"] = words[0]
        with open(words[0], "rb") as source:
            start, what = eval, (compile(source.read(), words[0], "exec"), names)
    names["__doc__"] = None
    for name in [each for each in names if not each.startswith("__")]:
        del names[name]
    start(*what)


if __name__ == "__main__":
    load_first()
    if hasattr(gc, "freeze"):
        # A collection in a child would copy the pages of what is there by now.
        gc.freeze()
    run(main())

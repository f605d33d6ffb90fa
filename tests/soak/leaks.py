"""The server under valgrind, asked for every kind of request; not part of the ordinary tests.

    .venv-tests/bin/python tests/soak/leaks.py [--pythons 2.7,3.13]

Memory that is read before it was written, or after it was freed, anywhere in the process, fails the
run, and so does a block that the core lost: one that was allocated by it, or by the interpreter for
it with no Python code in between. What Python code was given, CPython may keep until its end.

A server under valgrind is some thirty times slower; the suite's patience is raised for it.
"""

import argparse
import os
import pathlib
import re
import shutil
import sys
import tempfile

os.environ.setdefault("FAPWS_TEST_PATIENCE", "600")
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "python"))

# The support code reads the patience when it is imported.
from support import environment, interpreters  # noqa: E402
from support.client import ProtocolError  # noqa: E402
from standard.corpus import cases  # noqa: E402
from standard.message import plan, request, respond  # noqa: E402
from standard.probe import Probe  # noqa: E402
from robustness.test_leaks import ENDING, KINDS  # noqa: E402

ROUNDS = 5

#: One record of the log: everything about one error or leak, up to a line without text.
RECORD = re.compile(r"(?:^==\d+== \S.*\n)(?:^==\d+== .*\S.*\n)*", re.MULTILINE)

#: Between the core and an allocation: Python code ran, or a module was imported.
PYTHON_CODE = re.compile(r"EvalFrame|PyImport")


class ValgrindProbe(Probe):
    """A probe in valgrind; `log` is what that has to say."""

    def __init__(self, installed, folder, **settings):
        super().__init__(installed, "probe.py", folder, **settings)
        # Blocks of Python's own allocator would hide what is freed; Python 2.7 has no switch.
        self.env["PYTHONMALLOC"] = "malloc"
        self.log_path = pathlib.Path(folder) / "valgrind.txt"
        self.command = [
            "valgrind",
            "--quiet",
            "--leak-check=full",
            "--show-leak-kinds=definite",
            "--num-callers=40",
            f"--suppressions={HERE / 'valgrind.supp'}",
            f"--log-file={self.log_path}",
            *self.command,
        ]

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")


def ask_for_everything(server, folder):
    """Each kind of request a few times, clients that go early, and the whole corpus."""
    for raw, method in KINDS.values():
        with server.connect() as client:
            client.send(raw * ROUNDS)
            for _ in range(ROUNDS):
                if client.response(method).status == 100:
                    client.response(method)
    path = pathlib.Path(folder) / "content"
    path.write_bytes(b"content\n" * 5000)
    files = [
        request(plan("/file", kind=kind, path=str(path), **wrap))
        for kind in ("file", "unbuffered", "memory", "reader")
        for wrap in ({}, {"wrap": 4096})
    ]
    ending = [*ENDING.values(), *files, *(case.sent for case in cases())]
    for raw in ending:
        with server.connect() as client:
            try:
                client.send(raw)
                client.half_close()
                client.read_to_end()
            except OSError:
                pass  # a refusal that came first, or an answer that was broken on purpose
    for _ in range(ROUNDS):
        client = server.connect()
        client.send(request(respond(shape="closing", items=[["x", 100_000]], times=50)))
        try:
            client.read_exactly(1000)
        except ProtocolError:
            pass
        client.reset()
    assert server.request(request("/")).body == b"hello"


def ours(log):
    """The records of the log that count: every error, and the leaks that are the core's."""
    found = []
    for record in RECORD.findall(log):
        called_for, core, _ = record.partition("_evwsgi")
        leak = "definitely lost" in record
        if not leak or (core and not PYTHON_CODE.search(called_for)):
            found.append(record)
    return found


def run(interpreter):
    """One server; prints what was found and says whether that was nothing."""
    folder = tempfile.mkdtemp(prefix="fapws-valgrind-")
    installed = environment.installed(interpreter)
    server = ValgrindProbe(installed, folder).start()
    ask_for_everything(server, folder)
    outcome = server.stop()
    found = ours(server.log)
    for record in found[:5]:
        print(record)
    print(f"{interpreter.name}: {len(found)} records, exit code {outcome.returncode}")
    return not found and outcome.returncode == 0


def main():
    """Read the command line and run each interpreter in turn."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pythons", help="as FAPWS_TEST_PYTHONS; default: those of the tests")
    arguments = parser.parse_args()
    if arguments.pythons:
        os.environ["FAPWS_TEST_PYTHONS"] = arguments.pythons
    if not shutil.which("valgrind"):
        sys.exit("valgrind is not installed")
    well = [run(interpreter) for interpreter in interpreters.selected()]
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())

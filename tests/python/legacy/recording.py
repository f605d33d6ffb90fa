"""A program of tests/apps/legacy under test, and the records it keeps for the test.

Owns: which package a program imports (`Site`), the record file that tests/apps/legacy/channel.py
writes, waiting for records. Does not own: the process itself (support.process) nor requests
(wire.py). Invariant: a program runs in a folder of its own, so two of them never share a file by a
relative name, and every wait is for an event.
"""

import json
import shutil
from dataclasses import dataclass, field

from support import APPS
from support.process import wait_until
from support.server import Listening


@dataclass(frozen=True)
class Site:
    """A package under test: who runs it, the folder that holds it, the variables it needs."""

    name: str
    python: str
    major: int
    folder: object
    env: dict = field(default_factory=dict)

    @property
    def is_original(self):
        """Whether this is the original itself, not our core."""
        return self.name == "original"


def original_site(pristine_built):
    """The original, built."""
    return Site("original", pristine_built.python, 2, pristine_built.site_packages)


def dropped_in_site(pristine, python2, folder):
    """The original's Python files, unmodified, in a new folder with our core beside base.py."""
    uncompiled = shutil.ignore_patterns("*.c", "*.h", "*.pyc")
    shutil.copytree(pristine / "fapws", folder / "fapws", ignore=uncompiled)
    shutil.copy(python2.extension, folder / "fapws" / "_evwsgi.so")
    return Site("dropped-in", python2.python, 2, folder, {"PYTHONPATH": str(folder)})


def package_site(environment):
    """Our own package in its legacy dialect."""
    name, dialect = f"package-{environment.name}", {"FAPWS_DIALECT": "legacy"}
    return Site(name, environment.python, environment.major, environment.site_packages, dialect)


class Program(Listening):
    """`app` of tests/apps/legacy, served by a site; `address` is known once `start` returned."""

    def __init__(self, site, app, *parameters, folder, env=None):
        command = [site.python, APPS / "legacy" / app, *parameters]
        self.site = site
        self.records = []
        self._records_path = folder / "records"
        self._bytes_read = 0
        super().__init__(
            command, folder, {"RECORDS": self._records_path, **site.env, **(env or {})}
        )

    def start(self):
        """Run the program and wait until it listens; returns self."""
        super().start()
        address = self.wait_for("ready")["address"]
        self.address = tuple(address) if isinstance(address, list) else address
        return self

    def read_records(self):
        """The records since the last reading; all of them are in `records`."""
        try:
            with open(self._records_path, "rb") as stored:
                stored.seek(self._bytes_read)
                data = stored.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._bytes_read += len(whole)
        fresh = [json.loads(line) for line in whole.splitlines()]
        self.records += fresh
        return fresh

    def of_kind(self, kind):
        """The records of one kind so far."""
        self.read_records()
        return [record for record in self.records if record["kind"] == kind]

    def wait_for(self, kind, count=1):
        """The count-th record of a kind, as soon as it is there."""

        def found():
            # Asked in this order: a program that just ended has written all its records.
            running = self.alive
            records = self.of_kind(kind)
            assert len(records) >= count or running, (
                f"ended without record {count} of {kind!r}\n{self._transcript()}"
            )
            return records[count - 1 : count]

        return wait_until(found, f"record {count} of {kind!r} of {self.command}")[0]

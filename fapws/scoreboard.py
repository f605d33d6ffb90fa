"""The numbers of all workers, in memory that they share with the master.

Owns the layout: words of the master's first, then a slot for each worker. The core writes a slot's
words (`_evwsgi.slot_fields`), the master the others; everybody reads. A word is 8 bytes, written
and read whole.

Invariant: a slot keeps its counters when its worker has ended, and the next worker in it counts on.
So sums never fall.
"""

import mmap
import os
import struct

from fapws import _evwsgi

#: Workers that may have a slot at the same time; one without is served by, and not watched.
SLOTS = 512

#: What the master counts. Workers that it has replaced, by the reason; reloads.
MASTER_FIELDS = (
    "restarts_crash", "restarts_timeout", "restarts_max_requests", "restarts_max_memory", "reloads",
)

#: What of a slot is a state of the moment, and does not outlive its worker.
GAUGES = (
    "pid", "late_since", "draining", "connections", "threads", "busy_threads", "queued",
    "sockets", "longest_call_ms",
)

_WORD = 8
_HEADER = 64 * _WORD
#: Where the master says how many slots were in use at a time: nobody looks at more.
_USED = _HEADER - _WORD

#: The Scoreboard of this process, in a worker of the command; None elsewhere.
current = None


class Scoreboard(object):
    """The shared memory; made in the master, before the first fork. OSError."""

    def __init__(self):
        self.fields = _evwsgi.slot_fields()
        self._places = {name: index * _WORD for index, name in enumerate(self.fields)}
        self._slot = "%dQ" % len(self.fields)
        self._size = _WORD * len(self.fields)
        self._file = _nameless_file()
        os.ftruncate(self._file.fileno(), _HEADER + SLOTS * self._size)
        self._memory = mmap.mmap(self._file.fileno(), _HEADER + SLOTS * self._size)
        self._taken = set()

    def take(self):
        """The number of a slot for a new worker, or None: all are taken."""
        for slot in range(SLOTS):
            if slot not in self._taken:
                self._taken.add(slot)
                self._clear(slot)
                used = struct.unpack_from("Q", self._memory, _USED)[0]
                struct.pack_into("Q", self._memory, _USED, max(used, slot + 1))
                return slot
        return None

    def release(self, slot):
        """The slot's worker has ended."""
        if slot is not None:
            self._clear(slot)
            self._taken.discard(slot)

    def share(self, slot):
        """Have the core of this process publish in a slot, and read the others."""
        _evwsgi.share(self._file.fileno(), self._offset(slot), _HEADER, _USED)

    def get(self, slot, name):
        """One number of a slot."""
        return struct.unpack_from("Q", self._memory, self._offset(slot) + self._places[name])[0]

    def set(self, slot, name, value):
        """Change a state that the master decides on."""
        struct.pack_into("Q", self._memory, self._offset(slot) + self._places[name], value)

    def count(self, name):
        """One more of what the master counts."""
        place = MASTER_FIELDS.index(name) * _WORD
        value = struct.unpack_from("Q", self._memory, place)[0]
        struct.pack_into("Q", self._memory, place, value + 1)

    def master(self):
        """What the master has counted, as a dict."""
        words = struct.unpack_from("%dQ" % len(MASTER_FIELDS), self._memory, 0)
        return dict(zip(MASTER_FIELDS, words))

    def read(self, slot):
        """All numbers of a slot, as a dict."""
        return dict(zip(self.fields, struct.unpack_from(
            self._slot, self._memory, self._offset(slot))))

    def used(self):
        """(number, dict) of each slot that a worker has, or has had."""
        found = []
        for slot in range(SLOTS):
            numbers = self.read(slot)
            if numbers["pid"] or numbers["accepted"] or numbers["requests"]:
                found.append((slot, numbers))
        return found

    def _offset(self, slot):
        return _HEADER + slot * self._size

    def _clear(self, slot):
        for name in GAUGES:
            self.set(slot, name, 0)


def _nameless_file():
    """A file that no folder has: in memory, where the system and Python can."""
    if hasattr(os, "memfd_create"):
        try:
            return os.fdopen(os.memfd_create("fapws-scoreboard"), "r+b", 0)
        except OSError:
            pass
    import tempfile  # which costs as much time as the rest of the start

    return tempfile.TemporaryFile()

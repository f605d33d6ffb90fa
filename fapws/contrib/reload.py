"""Watching the source files of a running program, for development.

Owns the question whether a file has changed. What follows from it is its caller's business.
Modification times are compared, not contents, and nothing of the system is needed: it works the
same on a network's file system or in a container.
"""

import os
import sys
import time

#: Seconds between two looks.
PERIOD = 0.5


class Watcher(object):
    """Watches the files of all modules that are loaded, now and later, and `more` files.

    since: the time before which the first of them was read, as time.time() gives it. A file that
        was written after it has changed, even if this is the first look at it.
    """

    def __init__(self, more, since):
        self._more = list(more)
        self._since = since
        self._seen = {}
        #: Those of `more` that do not exist: whenever they do, that is news.
        self._missing = {path for path in self._more if not os.path.exists(path)}

    def changed(self):
        """The files that changed since the last call, or since the beginning."""
        changed = []
        now = time.time()
        for path in self._files():
            try:
                status = os.stat(path)
                stamp = status.st_mtime, status.st_size
            except OSError:
                stamp = None
            # An editor may move a file away for a moment before it writes the new one.
            if stamp is None:
                continue
            before = self._seen.get(path)
            self._seen[path] = stamp
            # A time in the future is another machine's, and no news.
            is_news = self._since <= stamp[0] <= now if before is None else before != stamp
            if is_news or path in self._missing:
                self._missing.discard(path)
                changed.append(path)
        return changed

    def watch(self, changed):
        """Call `changed()` after each change; never returns. For a thread of its own."""
        while True:
            time.sleep(PERIOD)
            if self.changed():
                changed()

    def _files(self):
        files = set(self._more)
        # A copy: other threads import.
        for module in list(sys.modules.values()):
            name = getattr(module, "__file__", None)
            if isinstance(name, str):
                files.add(name[:-1] if name.endswith((".pyc", ".pyo")) else name)
        return files | set(self._seen)

#!/usr/bin/env python
"""Work that need not delay the response: a page counter that commits after it has responded.

    python run.py [port]

    curl http://127.0.0.1:8080/visit/home
    curl http://127.0.0.1:8080/status

`evwsgi.defer(function, argument, combine)` queues a call. One queued call runs at a time, when no
client waits. With `combine` True a call that is queued already is not queued again: a hundred
visits in one busy moment cost one commit.
"""
import re
import sqlite3
import sys

import fapws._evwsgi as evwsgi
from fapws import base

PAGE_NAME = re.compile("[A-Za-z0-9_-]{1,40}$")

database = sqlite3.connect("visits.db")
database.execute("CREATE TABLE IF NOT EXISTS visits (page TEXT PRIMARY KEY, number INTEGER)")
done = {"commits": 0, "log lines": 0}


def commit(_):
    """A deferred function takes one argument, wanted or not."""
    database.commit()
    done["commits"] += 1


def write_log(page):
    """Deferred once a visit: with `combine` False every call counts."""
    with open("visits.log", "a") as log:
        log.write(page + "\n")
    done["log lines"] += 1


def visit(environ, start_response):
    page = environ["PATH_INFO"]
    if not PAGE_NAME.match(page):
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"A page has a name of letters and digits.\n"]
    database.execute("INSERT OR IGNORE INTO visits VALUES (?, 0)", (page,))
    database.execute("UPDATE visits SET number = number + 1 WHERE page = ?", (page,))
    found = database.execute("SELECT number FROM visits WHERE page = ?", (page,)).fetchone()
    evwsgi.defer(commit, None, True)
    evwsgi.defer(write_log, page, False)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("visits of %s: %d\n" % (page, found[0])).encode("ascii")]


def status(environ, start_response):
    """`defer_queue_size()` is None while nothing is queued."""
    lines = ["queued: %d" % (evwsgi.defer_queue_size() or 0)]
    lines += ["%s: %d" % item for item in sorted(done.items())]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["\n".join(lines).encode("ascii")]


def serve(port):
    evwsgi.start("127.0.0.1", port)
    evwsgi.set_base_module(base)
    evwsgi.wsgi_cb(("/visit/", visit))
    evwsgi.wsgi_cb(("/status", status))
    evwsgi.run()
    database.commit()
    database.close()


if __name__ == "__main__":
    serve(sys.argv[1] if len(sys.argv) > 1 else "8080")

"""What happened in the server process, for the test in the other process to read.

Applications write events under a name that the test chose; the test asks `/journal?NAME`.
The journal outlives the request it is about, which an answer cannot: that `close()` was
called after the client left is only told here.
"""
import gc
import json
import sys

EVENTS = {}


def record(name, event):
    """Append `event`, a string or a number; nothing when the request chose no name."""
    if name:
        EVENTS.setdefault(name, []).append(event)


def show(environ, start_response):
    """`/journal?NAME`: the events under NAME so far, oldest first, as JSON."""
    body = json.dumps(EVENTS.get(environ["QUERY_STRING"], [])).encode("ascii")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]


def count_objects(environ, start_response):
    """`/objects`: how many objects and blocks the interpreter has, once the garbage is gone."""
    gc.collect()
    counts = {"objects": len(gc.get_objects())}
    if hasattr(sys, "getallocatedblocks"):
        counts["blocks"] = sys.getallocatedblocks()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(counts).encode("ascii")]


ROUTES = {"/journal": show, "/objects": count_objects}

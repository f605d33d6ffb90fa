"""An application that takes long bodies, by an `Environ` of each kind.

Parameter: what `wsgi.input` is.
  stock   what the base module puts there
  derived the same, by an Environ class that derives from the base module's
  kept    an `io.BytesIO` that the program has a reference to of its own
  pieces  an object of the program's, which has write and seek and counts what it is given
  reader  the same with a read of its own
  form    a MultipartFormData
A second one sets how much of the address space is left, in MiB, once it serves.
"""
import hashlib
import io
import resource
import sys

import fapws._evwsgi as evwsgi
from fapws import base
from fapws.contrib.multipart import MultipartFormData

from channel import listen, report, text

kind = sys.argv[1]
KEPT = []


class Pieces(object):
    """Counts."""

    def __init__(self):
        self.sizes, self.digest, self.positions = [], hashlib.sha1(), []

    def write(self, data):
        self.sizes.append(len(data))
        self.digest.update(bytes(data))

    def seek(self, position):
        self.positions.append(position)


class Reader(Pieces):
    """Could be read, too."""

    def read(self, *_):
        return b""


def supplied():
    if kind == "kept":
        KEPT[:] = [io.BytesIO()]
        return KEPT[0]
    return {"pieces": Pieces, "reader": Reader, "form": lambda: MultipartFormData("./")}[kind]()


StockEnviron = base.Environ


class Environ(StockEnviron):
    def __init__(self):
        StockEnviron.__init__(self)
        if kind != "derived":
            self["wsgi.input"] = supplied()


def application(environ, start_response):
    """Reports what it got, and says how much that was."""
    taken = environ["wsgi.input"]
    fields = {"type": type(taken).__name__, "sizes": [], "positions": []}
    if kind == "kept":
        taken = KEPT[0]
    if isinstance(taken, Pieces):
        length, digest = sum(taken.sizes), taken.digest
        fields.update(sizes=taken.sizes, positions=taken.positions)
    elif isinstance(taken, MultipartFormData):
        results = taken.results
        report("form", results={key: [text(each) if not isinstance(each, dict) else each["size"]
                                      for each in values] for key, values in results.items()})
        length, digest = 0, hashlib.sha1()
    else:
        length, digest = 0, hashlib.sha1()
        while True:
            piece = taken.read(65536)
            if not piece:
                break
            length += len(piece)
            digest.update(piece)
    params = environ["fapws.params"]
    report("call", length=length, digest=digest.hexdigest(), raw=text(environ["fapws.raw_header"]),
           announced=environ["CONTENT_LENGTH"], params={key: len(params[key][0]) for key in params},
           **fields)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(length).encode("ascii")]


def limit():
    with open("/proc/self/statm") as statm:
        now = int(statm.read().split()[0]) * resource.getpagesize()
    most = now + (int(sys.argv[2]) << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


listen(evwsgi)
evwsgi.set_base_module(base)
if kind != "stock":
    base.Environ = Environ
evwsgi.wsgi_cb(("/", application))
if len(sys.argv) > 2:
    evwsgi.on_ready(limit)
evwsgi.run()

"""The twin of fapws.contrib.views."""

import io
import os
import sys

from observe import ask, case, folder, report

from fapws.contrib.views import Staticfile

ROOT = folder() + "root/"
MTIME = 1000000000.25

os.makedirs(ROOT + "sub")
for name in ("a.css", "sub/b.png", "noext", "x.html", "f.tar.gz"):
    with io.open(ROOT + name, "wb") as made:
        made.write(bytes(bytearray(range(256))))
    os.utime(ROOT + name, (MTIME, MTIME))
with io.open(folder() + "secret", "wb") as made:
    made.write(b"secret")
os.utime(folder() + "secret", (MTIME, MTIME))
os.symlink("../secret", ROOT + "link.html")
os.chdir(ROOT)


def get(path, root=ROOT, maxage=None, **variables):
    return ask(Staticfile(root, maxage), PATH_INFO=path, **variables)


@case
def a_file():
    return get("a.css")


@case
def files_in_folders():
    return get("sub/b.png"), get("sub//b.png"), get("/x.html")


@case
def a_file_of_two_extensions():
    return get("f.tar.gz")


@case
def a_relative_root():
    return get("a.css", "./"), get("a.css", ""), get("css", "a."), get("", "a.css")


@case
def a_whole_second():
    os.utime(ROOT + "x.html", (1000000000, 1000000000))
    return get("x.html")


@case
def attributes():
    static = Staticfile("/srv/", 60)
    return static.rootpath, static.maxage, Staticfile().rootpath, Staticfile().maxage


@case
def if_none_match():
    return [
        get("a.css", HTTP_IF_NONE_MATCH=tag) for tag in ("1000000000.25", "1000000000.5", '"x"')
    ]


@case
def if_none_match_star():
    return get("a.css", HTTP_IF_NONE_MATCH="*")["status"]


@case
def what_http_1_0_has_not():
    """Ranges and dates are the standard dialect's."""
    since = "Sun, 09 Sep 2032 01:46:40 GMT"
    head = get("a.css", REQUEST_METHOD="HEAD")
    return head, get("a.css", HTTP_RANGE="bytes=0-1", HTTP_IF_MODIFIED_SINCE=since)


@case
def what_is_missing():
    return get("missing"), get("sub"), get("")


@case
def what_is_missing_is_printed():
    get("missing")
    return sys.stdout.getvalue().replace(ROOT, "ROOT/")


@case
def type_unknown():
    return get("noext")["headers"]["Content-Type"]


@case
def maxage():
    return get("a.css", maxage=60)["headers"]["Cache-control"]


@case
def dots():
    return get("../secret")


@case
def dots_within_the_root():
    return get("sub/../a.css")


@case
def link_out_of_the_root():
    return get("link.html")


@case
def absolute_path_under_an_empty_root():
    return get(folder() + "secret", "")


@case
def nul():
    return get("a.css\0")["status"]


report()

"""The stock classes of fapws.base have the same effect natively and when their methods are called.

`fapws.base` tells of the contract: the core produces what a class marked `__fapws_native__` does by
itself. Here the same requests go to a server with the stock classes and to one whose classes derive
from them, unmarked and unchanged.
"""

import pathlib
import re

APP = pathlib.Path(__file__).parent / "apps" / "stock.py"

REQUESTS = [
    b"GET /show/a%20b+c?d=e&d=f HTTP/1.1\r\nHost: t\r\nX-A: 1\r\nx-b:  2 \r\nCookie: c=d\r\n",
    b"GET /show/ HTTP/1.0\r\n",
    b"HEAD /called/ HTTP/1.1\r\nHost: t\r\n",
    b"POST /show/ HTTP/1.1\r\nHost: t\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n",
    b"POST /show/?q=1 HTTP/1.1\r\nHost: t\r\nContent-Length: 7\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n",
    b"GET /called/ HTTP/1.1\r\nHost: t\r\n",
    b"GET /by_attributes/ HTTP/1.1\r\nHost: t\r\n",
    b"GET /called_and_by_attributes/ HTTP/1.1\r\nHost: t\r\n",
    b"GET /untouched/ HTTP/1.1\r\nHost: t\r\n",
    b"GET /generator/ HTTP/1.1\r\nHost: t\r\n",
    b"GET /splitting/ HTTP/1.1\r\nHost: t\r\n",
    b"GET /splitting_by_attributes/ HTTP/1.1\r\nHost: t\r\n",
    b"GET /failing/ HTTP/1.1\r\nHost: t\r\n",
    b"GET /missing/ HTTP/1.1\r\nHost: t\r\n",
    b"OPTIONS /show/ HTTP/1.1\r\nHost: t\r\n",
    b"BREW /show/ HTTP/1.1\r\nHost: t\r\n",
]


def whole(request):
    """The request with its last header and its body."""
    body = b"a=1&b=2" if b"urlencoded" in request else b"body" if b"Length" in request else b""
    return request + b"Connection: close\r\n\r\n" + body


def comparable(answer, port):
    """An answer without its date and the port, its header lines sorted."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = re.sub(rb"Date: [^\r]*", b"Date: now", head).split(b"\r\n")
    masked = body.replace(str(port).encode(), b"PORT")
    return status, sorted(lines), masked


def test_native_and_called_are_the_same(serve, dialect):
    native = serve(APP, dialect=dialect)
    called = serve(APP, dialect=dialect, env={"SUBCLASSED": "1"})
    different = {}
    for request in REQUESTS:
        answers = [
            comparable(server.exchange(whole(request)), server.address[1])
            for server in (native, called)
        ]
        assert answers[0][0].startswith(b"HTTP/1."), request
        if answers[0] != answers[1]:
            different[request] = answers
    assert different == {}

"""What is sent to every server: one row a scenario, and the exact bytes of its requests.

The table is data; nothing is measured here. `limit` is the bare epoll server's mode for the same
request, so that a scenario's limit is what this machine's kernel alone costs for it. Legacy
scenarios have none, their measure is the original; neither have those whose applications wait or
compute.
"""

import random
from dataclasses import dataclass, replace
from urllib.parse import quote_plus

MEBIBYTE = 2**20
#: What the responses hold: apps/plain.py and epoll.c have the same bytes.
HELLO = b"Hello, World!"
CHUNKS = [b"%0100d\n" % i for i in range(10)]
#: The body of a response that took its time.
SLOW = b"Hello, sloth!"
PAGE = b"<p>A paragraph.</p>\n" * 512
SMALL_FILES, SMALL_FILE_SIZE = 20, 512
#: Threads for the application where it waits, in the servers that have them.
THREADS = 64

BROWSER_HEADERS = {
    "Host": "127.0.0.1:8080",
    "Connection": "keep-alive",
    "Cache-Control": "max-age=0",
    "sec-ch-ua": '"Chromium";v="128", "Not;A=Brand";v="24", "Google Chrome";v="128"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"',
    "Upgrade-Insecure-Requests": "1",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/128.0.0.0 Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8",
    "Referer": "http://127.0.0.1:8080/articles/2024/index.html",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9,de;q=0.8",
    "Cookie": "session=5f2b1c0e9d7a4e38b6c1; theme=dark; consent=yes; _visit=1726400000.17.1",
}


def form(length):
    """A urlencoded form of `length` bytes: short fields, one in three with bytes to decode."""
    fields, size = [], 0
    while True:
        number = len(fields)
        value = "a few words more" if number % 3 else "señor & co"
        field = f"field{number:04}={quote_plus(value)}"
        if size + len(field) + 1 > length - 10:
            break
        fields.append(field)
        size += len(field) + 1
    last = "last="
    fields.append(last + "x" * (length - size - len(last)))
    return "&".join(fields).encode("ascii"), len(fields)


FORM, FORM_FIELDS = form(10_000)


def request(method="GET", target="/", headers=None, body=b""):
    """The bytes of one request; Host stands first unless `headers` has one."""
    headers = {"Host": "127.0.0.1", **(headers or {})}
    if body:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        headers["Content-Length"] = str(len(body))
    lines = [f"{method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


@dataclass(frozen=True)
class Beside:
    """Clients that load a server beside the measured ones."""

    request: bytes
    connections: int
    depth: int = 1
    pause_ms: int = 0
    pause_every: int = 0


@dataclass(frozen=True)
class Scenario:
    """One kind of load: which application, what is sent, which body must come back."""

    name: str
    title: str
    app: str
    request: bytes
    expected: bytes
    limit: tuple = ("hello",)
    connections: int = 64
    depth: int = 1
    #: What is sent in turn instead of `request` alone.
    cycle: tuple = ()
    #: Those of them that take their time; their responses' body is SLOW.
    slow: tuple = ()
    beside: Beside = None
    #: Between a response and the connection's next request, on average; with `pause_every`, after
    #: one response in so many, exactly.
    pause_ms: int = 0
    pause_every: int = 0
    #: Where calls wait: one in how many does, and how many milliseconds. Before the bare epoll
    #: server, which waits for nothing, its clients do instead: what is sent when is the same.
    waits: tuple = ()
    #: Threads for the application, in the servers that have them; the others take no part.
    threads: int = 1
    #: Whether the connection must survive the response.
    keeps: bool = True
    #: Legacy ones run on Python 2.7 with the original's Python files.
    legacy: bool = False
    streams: bool = False
    #: With an access log in a file, in the servers that write one.
    logged: bool = False
    #: The prefix under which ours registers the application with `wsgi_cb`.
    prefix: str = ""
    #: nginx with kept connections before the server, which listens on "tcp" or "unix".
    proxied: str = ""
    #: What the picture shows: a name of `Sample`.
    shown: str = "cpu_us"

    @property
    def requests(self):
        """Everything that the measured clients send, in turn."""
        return self.cycle or (self.request,)

    def for_limit(self):
        """The same load for the bare epoll server: clients wait where its calls would."""
        if not self.waits:
            return self
        every, pause_ms = self.waits
        return replace(self, slow=(), pause_ms=pause_ms, pause_every=every)


_CLOSE = request(headers={"Connection": "close"})
_POST = request("POST", body=FORM)
_POST_EXPECTED = str(len(FORM)).encode()
_FIELDS_EXPECTED = str(FORM_FIELDS).encode()
_ORDER = random.Random(4711)


def _one_in_fifty(slow):
    """Fifty requests of a site with seven other pages, one of them this one."""
    quick = [request(target=f"/page/{number % 7}") for number in range(49)]
    return (*quick[:25], slow, *quick[25:])


def _items():
    """Two rounds of requests to a thousand items, in no order."""
    numbers = [*range(1000), *range(1000)]
    _ORDER.shuffle(numbers)
    return tuple(request(target=f"/item/{number}") for number in numbers)


_WAITING = {
    "request": request(),
    "expected": HELLO,
    "threads": THREADS,
    "shown": "rate",
}

SCENARIOS = [
    Scenario("hello", "hello, keep-alive", "plain:hello", request(), HELLO),
    Scenario(
        "hello-length",
        "hello, keep-alive, Content-Length from the application",
        "plain:hello_length",
        request(),
        HELLO,
    ),
    Scenario(
        "browser",
        "hello, 13 browser headers with cookies",
        "plain:hello",
        request(headers=BROWSER_HEADERS),
        HELLO,
    ),
    Scenario(
        "close",
        "one connection a request",
        "plain:hello_length",
        _CLOSE,
        HELLO,
        ("close",),
        keeps=False,
    ),
    Scenario(
        "post", "10 kB form POST", "plain:post", _POST, _POST_EXPECTED, ("post", str(len(FORM)))
    ),
    Scenario(
        "upload",
        "1 MiB upload",
        "plain:upload",
        request("POST", body=b"x" * MEBIBYTE),
        str(MEBIBYTE).encode(),
        ("post", str(MEBIBYTE)),
        connections=8,
    ),
    Scenario(
        "body",
        "1 MiB body as one bytes",
        "plain:body",
        request(),
        b"x" * MEBIBYTE,
        ("body", str(MEBIBYTE)),
        connections=8,
    ),
    Scenario(
        "file",
        "1 MiB file",
        "plain:file",
        request(),
        b"x" * MEBIBYTE,
        ("file", "{file}"),
        connections=8,
    ),
    Scenario(
        "generator",
        "generator of 10 chunks",
        "plain:generator",
        request(),
        b"".join(CHUNKS),
        ("stream",),
        streams=True,
    ),
    Scenario(
        "pipelined", "hello, pipelined, depth 16", "plain:hello_length", request(), HELLO, depth=16
    ),
    Scenario("calm", "hello, 1,000 a second", "plain:hello", request(), HELLO, pause_ms=64),
    Scenario(
        "form",
        "10 kB form POST under wsgi_cb, its fields counted",
        "plain:form",
        _POST,
        _FIELDS_EXPECTED,
        None,
        prefix="/",
    ),
    Scenario(
        "form-read",
        "10 kB form POST under wsgi_cb, read by the application",
        "plain:post",
        _POST,
        _POST_EXPECTED,
        ("post", str(len(FORM))),
        prefix="/",
    ),
    Scenario("flask", "Flask hello", "flask_hello:app", request(), HELLO),
    Scenario("django", "Django hello, no middleware", "django_hello:app", request(), HELLO),
    Scenario(
        "django-default",
        "Django hello, default middleware",
        "django_default:app",
        request(),
        HELLO,
    ),
    Scenario(
        "access-log",
        "hello with an access log in a file",
        "plain:hello_length",
        request(),
        HELLO,
        logged=True,
    ),
    Scenario("wait", "every call waits 20 ms", "plain:wait", waits=(1, 20), **_WAITING),
    Scenario(
        "mixed",
        "one call in 50 waits 100 ms, at /slow",
        "plain:mixed",
        cycle=_one_in_fifty(request(target="/slow")),
        slow=(request(target="/slow"),),
        waits=(50, 100),
        **_WAITING,
    ),
    Scenario(
        "mixed-query",
        "one call in 50 waits 100 ms, at /page?slow=1",
        "plain:mixed",
        cycle=(*(request(target="/page"),) * 25, request(target="/page?slow=1"))
        + (request(target="/page"),) * 24,
        slow=(request(target="/page?slow=1"),),
        waits=(50, 100),
        **_WAITING,
    ),
    Scenario(
        "mixed-item",
        "a thousand items, every second one waits 20 ms",
        "plain:mixed",
        cycle=_items(),
        slow=tuple(request(target=f"/item/{number}") for number in range(1, 1000, 2)),
        waits=(2, 20),
        **_WAITING,
    ),
    Scenario(
        "compute",
        "16 clients of hello beside two whose calls compute 30 ms",
        "plain:compute",
        beside=Beside(request(target="/compute"), 2),
        limit=None,
        slow=(request(target="/compute"),),
        connections=16,
        **{**_WAITING, "shown": "p50_us"},
    ),
    Scenario(
        "files",
        "a call reads twenty small files",
        "plain:files",
        request(),
        str(SMALL_FILES * SMALL_FILE_SIZE).encode(),
        limit=None,
        threads=THREADS,
    ),
    *(
        Scenario(
            f"nginx-{kind}{suffix}",
            f"{title} behind nginx, {where}",
            app,
            request(),
            expected,
            None,
            proxied=kind,
        )
        for kind, where in (("tcp", "TCP"), ("unix", "unix socket"))
        for suffix, title, app, expected in (
            ("", "hello", "plain:hello_length", HELLO),
            ("-page", "10 kB page", "plain:page", PAGE),
        )
    ),
    Scenario(
        "legacy-hello",
        "legacy, 2.7: hello, one connection a request",
        "legacy:hello",
        request(),
        HELLO,
        None,
        keeps=False,
        legacy=True,
    ),
    Scenario(
        "legacy-post",
        "legacy, 2.7: 10 kB form POST",
        "legacy:post",
        _POST,
        _FIELDS_EXPECTED,
        None,
        keeps=False,
        legacy=True,
    ),
]

BY_NAME = {each.name: each for each in SCENARIOS}

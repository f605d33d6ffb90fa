"""What is asked of every server: one row a scenario, and the exact bytes of its request.

The table is data; nothing is measured here. `limit` is what the bare epoll server is told to do for
the same request, so that a scenario's limit is what this machine's kernel alone costs for it.
(Legacy scenarios have none: their measure is the original.)
"""

from dataclasses import dataclass
from urllib.parse import quote_plus

MEBIBYTE = 2**20
#: What the answers hold: apps/plain.py and epoll.c have the same bytes.
HELLO = b"Hello, World!"
CHUNKS = [b"%0100d\n" % i for i in range(10)]

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
class Scenario:
    """One kind of load: which application, what is sent, what must come back."""

    name: str
    title: str
    app: str
    request: bytes
    answer: bytes
    limit: tuple = ("hello",)
    connections: int = 64
    depth: int = 1
    #: Whether the connection must survive the answer.
    keeps: bool = True
    #: Legacy ones run on Python 2.7 with the original's Python files.
    legacy: bool = False
    streams: bool = False


_CLOSE = request(headers={"Connection": "close"})
_POST = request("POST", body=FORM)
_POST_ANSWER = str(len(FORM)).encode()
_LEGACY_POST_ANSWER = str(FORM_FIELDS).encode()

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
        "post", "10 kB form POST", "plain:post", _POST, _POST_ANSWER, ("post", str(len(FORM)))
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
    Scenario("flask", "Flask hello", "flask_hello:app", request(), HELLO),
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
        _LEGACY_POST_ANSWER,
        None,
        keeps=False,
        legacy=True,
    ),
]

BY_NAME = {each.name: each for each in SCENARIOS}

"""The access log beside gunicorn's own, atom by atom, for the same requests."""

import pytest
from command import write
from foreign import Foreign
from support.ports import free_port
from support.process import wait_until

LOGGED = """
    def app(environ, start_response):
        path = environ["PATH_INFO"]
        environ["my.var"] = 'a"b'
        headers = [("Content-Type", "text/plain"), ("X-Shop", 'a"b')]
        if path == "/writes":
            write = start_response("200 OK", headers)
            write(b"one")
            return [b"two"]
        statuses = {"/empty": "204 No Content", "/none": "304 Not Modified"}
        start_response(statuses.get(path, "418 I'm a teapot"), headers)
        if path in statuses:
            return []
        return (item for item in [b"one", b"", b"two"]) if path == "/generator" else [b"hello"]
"""

ATOMS = (
    "h l u r m U q H s st B b f a {x-a}i {X-Shop}o {content-type}o {no}i {no}o {no}e {my.var}e "
    "{REQUEST_METHOD}e {wsgi.url_scheme}e"
).split()

#: Request lines, more header lines, and where the logs differ: atom -> (gunicorn's, ours).
REQUESTS = [
    ("GET / HTTP/1.1", "", {}),
    ("GET /empty HTTP/1.1", "", {}),
    ("GET /none HTTP/1.1", "", {}),
    ("GET /generator HTTP/1.1", "", {}),
    ("GET /generator HTTP/1.0", "", {}),
    ("GET /writes HTTP/1.1", "", {}),
    ("HEAD / HTTP/1.1", "", {}),
    ("HEAD /generator HTTP/1.1", "", {}),
    ("OPTIONS / HTTP/1.1", "", {}),
    ("GET /? HTTP/1.1", "", {}),
    ("GET //double/slash? HTTP/1.1", "", {}),
    ("GET /;p=1?a=b?c HTTP/1.1", "", {}),
    ("GET http://a/absolute?x=1 HTTP/1.1", "", {}),
    ("GET / HTTP/1.1", 'Referer: http://x/"y"\r\nX-A: 1\r\n', {}),
    ("GET / HTTP/1.1", "Authorization: Basic YWRhOnNlY3JldA==\r\n", {}),
    ("GET / HTTP/1.1", "Authorization: Basic !!!\r\n", {}),
    ("GET / HTTP/1.1", "Authorization: Bearer abc\r\n", {}),
    # As it came, so that it can be sent again; gunicorn decodes it.
    ("GET /a%20b?q=%22 HTTP/1.1", "", {"U": ("/a b", "/a%20b")}),
    # A backslash and what is no ASCII are escaped.
    ("GET / HTTP/1.1", "User-Agent: me \\ you\r\n", {"a": ("me \\ you", "me \\\\ you")}),
    ("GET / HTTP/1.1", "User-Agent: caf\xe9\r\n", {"a": ("caf\xe9", "caf\\xe9")}),
]


class Logging(Foreign):
    """A server of `logged:app` that logs the atoms to a file; `--bind` and the log come last."""

    def __init__(self, interpreter, words, log, option, folder, home, library):
        port = free_port()
        words = [interpreter.python, "-m", *words, "--bind", f"127.0.0.1:{port}"]
        words += ["--access-log" if option else "--access-logfile", log]
        words += ["--access-log-format" if option else "--access-logformat"]
        words += ["|".join(f"%({atom})s" for atom in ATOMS)]
        super().__init__(words, port, folder, home, library)
        self.log = home / log

    def lines(self, raw):
        """What each request adds, as a dict of atoms."""
        known = wait_until(self.log.read_bytes, "the first line")
        for each in raw:
            self.exchange(each)
        count = known.count(b"\n") + len(raw)
        wait_until(lambda: self.log.read_bytes().count(b"\n") >= count, "the lines")
        text = self.log.read_bytes()[len(known) :].decode()
        return [dict(zip(ATOMS, line.split("|"), strict=True)) for line in text.splitlines()]


@pytest.fixture
def logs(python3, start_process, home):
    """The lines of gunicorn and ours for these requests."""
    write(home, logged=LOGGED)
    library = python3.library("gunicorn")
    # Else it has a control socket in the home folder.
    theirs = ["gunicorn.app.wsgiapp", "logged:app", "--no-control-socket"]
    ours = ["fapws", "logged:app"]

    def logs(raw):
        both = []
        for number, words in enumerate([theirs, ours]):
            log = f"log{number}"
            server = start_process(
                Logging, python3, words, log, number == 1, home=home, library=library
            )
            both.append(server.lines(raw))
        return both

    return logs


def test_atom_by_atom(logs):
    raw = [
        f"{line}\r\nHost: a\r\nConnection: close\r\n{more}\r\n".encode("latin-1")
        for line, more, _ in REQUESTS
    ]
    theirs, ours = logs(raw)
    for (line, more, differences), their, our in zip(REQUESTS, theirs, ours, strict=True):
        # gunicorn has no reason phrase.
        assert (their.pop("st"), our.pop("st")) != ("-", "-"), line
        differ = {atom: (their[atom], our[atom]) for atom in our if their[atom] != our[atom]}
        assert differ == differences, (line, more)

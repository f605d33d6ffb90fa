"""fapws.contrib.cgiapp: variables in, head and body out, and nothing that blocks or is shared."""

import io
import os
import stat
import sys

import pytest

from fapws import config
from fapws.contrib.cgiapp import CGIApplication


@pytest.fixture
def script(tmp_path):
    """`script(source)` makes an executable of a Python program; returns its path."""

    def make(source, name="script.cgi"):
        path = tmp_path / name
        prelude = "#!%s\n# -*- coding: utf-8 -*-\nimport os, sys\n" % sys.executable
        prelude += "out = getattr(sys.stdout, 'buffer', sys.stdout)\n"
        prelude += "given = getattr(sys.stdin, 'buffer', sys.stdin)\n"
        path.write_bytes((prelude + source).encode("utf-8"))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return make


SHOW = """
out.write(b"Content-Type: text/plain\\n\\n")
for key in sorted(os.environ):
    out.write(("%s=%r\\n" % (key, os.environ[key])).encode("ascii", "backslashreplace"))
out.write(b"INPUT=" + repr(given.read()).encode("ascii"))
"""


def shown(answer):
    """The variables and the input that SHOW found."""
    pairs = (line.partition("=") for line in answer.body.decode("ascii").splitlines())
    return {key: value.lstrip("b")[1:-1] for key, _, value in pairs}


def post(body, dialect):
    """The variables of a request with that body."""
    length = len(body) if dialect == "legacy" else str(len(body))
    return {
        "REQUEST_METHOD": "POST",
        "CONTENT_LENGTH": length,
        "CONTENT_TYPE": "text/plain",
        "wsgi.input": io.BytesIO(body),
    }


def test_the_variables_of_rfc_3875(script, ask, dialect):
    path = script(SHOW)
    answer = ask(
        CGIApplication(path),
        dialect,
        SCRIPT_NAME="/cgi",
        PATH_INFO="/more/path",
        QUERY_STRING="a=b",
        HTTP_ACCEPT="*/*",
        HTTP_PROXY="http://evil/",
        HTTP_CONTENT_TYPE="text/plain",
        HTTP_CONTENT_LENGTH="4",
        REMOTE_USER="me",
        **dict(post(b"body", dialect), **{"fapws.uri": "/cgi/more/path?a=b"})
    )
    found = shown(answer)
    # A C library or an interpreter may add its own.
    for key in ("LC_CTYPE", "PWD", "SHLVL", "_", "__CF_USER_TEXT_ENCODING"):
        found.pop(key, None)
    assert found == {
        "CONTENT_LENGTH": "4",
        "CONTENT_TYPE": "text/plain",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "HTTP_ACCEPT": "*/*",
        "PATH": os.environ["PATH"],
        "PATH_INFO": "/more/path",
        "QUERY_STRING": "a=b",
        "REMOTE_ADDR": "10.0.0.1",
        "REMOTE_HOST": "10.0.0.1",
        "REMOTE_USER": "me",
        "REQUEST_METHOD": "POST",
        "REQUEST_URI": "/cgi/more/path?a=b",
        "SCRIPT_FILENAME": path,
        "SCRIPT_NAME": "/cgi",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": config.SERVER_IDENT,
        "INPUT": "body",
    }


def test_requests_share_nothing(script, ask, dialect):
    application = CGIApplication(script(SHOW))
    application.cgi_environ["MINE"] = "always"
    first = shown(ask(application, dialect, HTTP_SECRET="1", **post(b"body", dialect)))
    second = shown(ask(application, dialect))
    assert first["HTTP_SECRET"] == "1"
    assert "HTTP_SECRET" not in second
    assert "CONTENT_LENGTH" not in second
    assert second["INPUT"] == ""
    assert second["MINE"] == "always"
    assert application.cgi_environ == {"MINE": "always"}


def test_the_bytes_of_a_variable_are_the_requests(script, ask, dialect):
    source = """
value = os.environb[b"PATH_INFO"] if hasattr(os, "environb") else os.environ["PATH_INFO"]
out.write(b"A: b\\n\\n" + value)
"""
    answer = ask(CGIApplication(script(source)), dialect, PATH_INFO="/\xff\xc3\xa9")
    assert answer.body == b"/\xff\xc3\xa9"


def test_a_nul_costs_the_variable_not_the_request(script, ask, dialect):
    assert "PATH_INFO" not in shown(ask(CGIApplication(script(SHOW)), dialect, PATH_INFO="/a\0b"))


def test_large_input_and_output_do_not_block(script, ask, dialect):
    source = """
out.write(b"A: b\\n\\n" + b"x" * 3000000)
sys.stderr.write("e" * 3000000)
out.write(given.read())
"""
    body = bytes(bytearray(range(256))) * 10000
    with io.open(os.devnull, "wb") as devnull:
        kept = os.dup(2)
        os.dup2(devnull.fileno(), 2)
        try:
            answer = ask(CGIApplication(script(source)), dialect, **post(body, dialect))
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    assert answer.body == b"x" * 3000000 + body
    assert answer.headers["content-length"] == str(len(answer.body))


def test_a_script_that_does_not_read_its_input_ends(script, ask, dialect):
    answer = ask(
        CGIApplication(script("out.write(b'A: b\\n\\nhi')")), dialect, **post(b"x" * 10**6, dialect)
    )
    assert answer.body == b"hi"


def test_what_a_script_leaves_running_holds_nothing_up(script, ask, dialect, tmp_path):
    source = """
out.write(b"A: b\\n\\nhi")
out.flush()
if os.fork() == 0:
    # Until the test lets go, or is long over.
    for attempt in range(600):
        if not os.path.exists(%r):
            break
        __import__("time").sleep(0.1)
    os._exit(0)
"""
    held = tmp_path / "held"
    held.write_bytes(b"")
    try:
        assert ask(CGIApplication(script(source % str(held))), dialect).body == b"hi"
    finally:
        held.unlink()


def test_a_chunked_body_has_a_length_for_the_script(script, ask):
    variables = post(b"body", "standard")
    del variables["CONTENT_LENGTH"]
    found = shown(ask(CGIApplication(script(SHOW)), "standard", **variables))
    assert (found["CONTENT_LENGTH"], found["INPUT"]) == ("4", "body")


def test_it_runs_in_its_folder_with_no_descriptors_of_ours(script, ask, dialect, tmp_path):
    source = """
out.write(b"A: b\\n\\n" + os.getcwd().encode() + b" ")
out.write(b",".join(sorted(name.encode() for name in os.listdir("/proc/self/fd"))))
"""
    path = script(source)
    inheritable = os.dup(0)
    if hasattr(os, "set_inheritable"):
        os.set_inheritable(inheritable, True)
    try:
        where, descriptors = ask(CGIApplication(path), dialect).body.split()
    finally:
        os.close(inheritable)
    assert where == os.path.realpath(str(tmp_path)).encode()
    # Its own three, and the one it lists them with.
    assert descriptors == b"0,1,2,3"


def test_a_relative_path_is_the_servers(script, ask, dialect, tmp_path, monkeypatch):
    script("out.write(b'A: b\\n\\nhi')", "here.cgi")
    monkeypatch.chdir(tmp_path)
    for path in ("here.cgi", "./here.cgi"):
        application = CGIApplication(path)
        assert (application.script, application.dirname) == (path, os.path.dirname(path))
        assert ask(application, dialect).body == b"hi"


def test_a_script_that_is_not_there_is_an_error(ask, dialect, tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError):
        ask(CGIApplication(str(tmp_path / "missing.cgi")), dialect)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    "output, status, headers, body",
    [
        (b"A: b\n\nbody", "200 OK", [("A", "b")], b"body"),
        (b"A: b\r\n\r\nbody", "200 OK", [("A", "b")], b"body"),
        (b"A: b\r\nC:d:e \n\r\nbody\n\n", "200 OK", [("A", "b"), ("C", "d:e")], b"body\n\n"),
        (b"A:\n\n", "200 OK", [("A", "")], b""),
        (b"\nbody", "200 OK", [], b"body"),
        (b"Status: 404 Not Found\nA: b\n\nx", "404 Not Found", [("A", "b")], b"x"),
        (b"A: b\nstatus:404\n\nx", "404 Not Found", [("A", "b")], b"x"),
        (b"Status: 299\n\n", "299 Unknown", [], b""),
        (b"HTTP/1.1 503 Too Busy\r\nA: b\r\n\r\n", "503 Too Busy", [("A", "b")], b""),
        (b"Location: /x\n\n", "302 Found", [("Location", "/x")], b""),
        (b"Location: /x\nStatus: 201 Created\n\n", "201 Created", [("Location", "/x")], b""),
        (b"Connection: close\nKeep-Alive: 1\nTransfer-Encoding: chunked\n\n", "200 OK", [], b""),
        (b"Set-Cookie: a=b\nSet-Cookie: c=d\n\n", "200 OK", [("Set-Cookie", "a=b")] * 2, b""),
    ],
)
def test_the_output(output, status, headers, body, script, ask, tmp_path):
    (tmp_path / "output").write_bytes(output)
    answer = ask(CGIApplication(script("out.write(open('output', 'rb').read())")), "standard")
    assert answer.status == status
    assert answer.body == body
    told = answer.start_response.calls[-1][1]
    assert told.pop() == ("Content-Length", str(len(body)))
    assert [name for name, _ in told] == [name for name, _ in headers]
    assert told[:1] == headers[:1]


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"A: b\n",
        b"hello world",
        b"hello\n\nworld",
        b"<a>: b\n\nc",
        b"A: b\nHTTP/1.1 200 OK\n\nc",
        b"A: " + b"x" * 70000 + b"\n\n",
    ],
)
def test_output_without_a_head_is_an_error(output, script, ask, dialect, tmp_path):
    (tmp_path / "output").write_bytes(output)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ValueError):
        ask(CGIApplication(script("out.write(open('output', 'rb').read())")), dialect)
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_scripts_own_length_is_kept(script, ask, dialect):
    answer = ask(CGIApplication(script("out.write(b'content-length: 2\\n\\nhi')")), dialect)
    assert answer.headers == {"content-length": "2"}


def test_what_has_no_body_has_no_length(script, ask, dialect):
    answer = ask(CGIApplication(script("out.write(b'Status: 304\\n\\n')")), dialect)
    assert (answer.status, answer.headers) == ("304 Not Modified", {})


def test_a_value_cannot_split_the_head(script, ask):
    with pytest.raises(ValueError):
        ask(CGIApplication(script("out.write(b'A: b\\rC: d\\n\\n')")), "legacy")


def test_the_servers_own_names_stay_with_it(script, ask, dialect):
    found = shown(ask(CGIApplication(script(SHOW)), dialect, **{"fapws.raw_header": "x" * 200000}))
    assert not [name for name in found if "." in name]

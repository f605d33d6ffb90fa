"""Each claim of docs/migration.md, asked of a server: the table's two columns and the lists."""

import json
import pathlib
import tempfile

import pytest
from docs.pages import blocks, commands
from support.environment import BuildError
from support.process import wait_until

pytestmark = pytest.mark.each_major

PAGE = "docs/migration.md"
APP = pathlib.Path(__file__).parent / "apps" / "moving.py"


@pytest.fixture
def ask(serve):
    """`ask(dialect)` starts a server and gives it."""
    return lambda dialect, **options: serve(APP, dialect=dialect, **options)


def environ_of(server, target="/environ", *headers):
    return json.loads(server.get(target, *headers).body)


def send(server, method, target, body, *headers):
    lines = [f"{method} {target} HTTP/1.1", "Host: test", "Connection: close", *headers, "", ""]
    return server.request("\r\n".join(lines).encode("ascii") + body)


def test_legacy_requests(ask):
    server = ask("legacy", env={"ROOT": "yes"})
    assert server.get("/environ/a+b?c=d+e").status == 200
    seen = environ_of(server, "/environ/a+b?c=d+e", "X-Two: 1", "X-Two: 2", "X_Low: 3")
    assert seen["PATH_INFO"] == "/a b" and seen["fapws.params"] == {"c": ["d e"]}
    assert seen["HTTP_X_TWO"] == "2" and seen["HTTP_X_LOW"] == "3"
    assert seen["wsgi.url_scheme"] == "HTTP" and not seen["errors is stderr"]
    root = environ_of(server, "/x")
    assert (root["SCRIPT_NAME"], root["PATH_INFO"]) == ("/", "x")
    form = "Content-Type: application/x-www-form-urlencoded"
    posted = json.loads(send(server, "POST", "/environ", b"a=1", form, "Content-Length: 3").body)
    assert posted["CONTENT_LENGTH"] == 3 and posted["HTTP_CONTENT_LENGTH"] == "3"
    assert posted["input"] == "a=1" and posted["fapws.params"] == {"a": ["1"]}
    assert send(server, "POST", "/environ", b"").status == 411
    assert send(server, "PUT", "/environ", b"a", "Content-Length: 1").status == 501
    assert send(server, "OPTIONS", "/environ", b"").header("Allow")


def test_standard_requests(ask):
    server = ask("standard", env={"ROOT": "yes"})
    seen = environ_of(server, "/environ/a+b?c=d+e", "X-Two: 1", "X-Two: 2", "X_Low: 3")
    assert seen["PATH_INFO"] == "/a+b" and seen["fapws.params"] == {"c": ["d e"]}
    assert seen["HTTP_X_TWO"] == "1, 2" and "HTTP_X_LOW" not in seen
    assert seen["wsgi.url_scheme"] == "http" and seen["errors is stderr"]
    assert "CONTENT_LENGTH" not in seen
    assert environ_of(server, "/environ", "Cookie: a=1", "Cookie: b=2")["HTTP_COOKIE"] == "a=1; b=2"
    root = environ_of(server, "/x")
    assert (root["SCRIPT_NAME"], root["PATH_INFO"]) == ("", "/x")
    posted = json.loads(send(server, "PUT", "/environ", b"a=1", "Content-Length: 3").body)
    assert posted["CONTENT_LENGTH"] == "3" and "HTTP_CONTENT_LENGTH" not in posted
    assert posted["input"] == "a=1"
    chunked = send(server, "PUT", "/environ", b"1\r\na\r\n0\r\n\r\n", "Transfer-Encoding: chunked")
    assert json.loads(chunked.body)["input"] == "a"
    options = json.loads(send(server, "OPTIONS", "/environ", b"").body)
    assert options["REQUEST_METHOD"] == "OPTIONS"


def test_legacy_answers(ask):
    server = ask("legacy")
    assert (server.get("/nowhere").status, server.get("/nowhere").reason) == (500, "Not found")
    assert (server.get("/silent").status, server.get("/silent").body) == (200, b"no start_response")
    assert server.get("/number_in_head").header("X-Number") == "1"
    assert server.get("/twice").every_header("X-Twice") == ["2"]
    assert server.get("/hop").status == 200
    assert server.get("/mixed").body == b"ab"
    assert server.get("/none").status == 200
    assert server.get("/raises").status == 500
    server.wait_for_output("RuntimeError: told to", "stdout")
    assert server.get("/timers").body == b"10"
    assert server.get("/leave").status == 500
    # It ends, by itself; and no timer that a request added has started.
    assert "tick" not in server.wait().check().stdout


def test_standard_answers(ask):
    server = ask("standard")
    assert (server.get("/nowhere").status, server.get("/nowhere").reason) == (404, "Not Found")
    for broken in ("silent", "number_in_head", "hop", "mixed", "none", "raises", "leave"):
        assert server.get("/" + broken).status == 500, broken
    server.wait_for_output("RuntimeError: told to", "stderr")
    assert server.get("/twice").every_header("X-Twice") == ["1", "2"]
    assert server.get("/timers").body == b"20"
    server.wait_for_output("tick\n" * 20)


def test_text_is_sent_as_utf8(ask, dialect):
    assert ask(dialect).get("/unicode_text").body == "caf\xe9".encode()


def test_native_strings_are_latin_1(ask, interpreter, dialect):
    seen = ask(dialect).get("/environ/caf%C3%A9")
    if interpreter.major == 3:
        path = json.loads(seen.body)["PATH_INFO"]
        assert path.encode("latin-1").decode("utf-8") == "/caf\xe9"
    else:
        # json takes Python 2's bytes for UTF-8.
        assert json.loads(seen.body)["PATH_INFO"] == "/caf\xe9"


def test_bytes_in_a_head(ask, interpreter):
    status = ask("standard").get("/bytes_in_head").status
    assert status == (500 if interpreter.major == 3 else 200)


def test_what_stays(ask, dialect):
    server = ask(dialect)
    assert server.get("/twicetwo").status == 200
    assert send(server, "POST", "/getvalue", b"whole", "Content-Length: 5").body == b"whole"
    attributes = server.get("/attributes")
    assert (attributes.status, attributes.reason, attributes.body) == (201, "Made", b"201 Made")
    assert attributes.header("X-Before") == "1" and attributes.header("X-After") == "2"
    assert attributes.header("Set-Cookie").startswith("taste=sweet")
    assert server.get("/deferred").body == b"1"
    server.wait_for_output("deferred call\n")
    generator = server.get("/generator")
    assert (generator.body, generator.header("X-Late")) == (b"one two", "1")
    assert server.get("/opened").body == b"sent"


def test_the_file_wrapper(ask):
    assert ask("standard").get("/wrapped").body == b"sent"


def test_a_unix_socket(ask, dialect):
    # Not tmp_path: the path of a socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="fapws-") as folder:
        server = ask(dialect, host=f"{folder}/socket", port="unix")
        assert environ_of(server)["REMOTE_ADDR"] == ""
        server.stop().check()


def test_the_defaults_of_the_dialect(ask, interpreter):
    version = "HTTP/1.1" if interpreter.major == 3 else "HTTP/1.0"
    server = ask(None)
    wait_until(lambda: server.alive, "the server")
    assert server.get("/process").version == version
    assert server.get("/process").header("Server") == "fapws3/1.01"


def test_another_word_for_a_dialect_is_refused(ask):
    server = ask("http")
    outcome = server.wait()
    assert outcome.returncode == 1
    assert 'ValueError: FAPWS_DIALECT is "http"' in outcome.stderr


def test_its_commands_are_those_of_the_readme():
    ours = commands(PAGE, "## 1. The core under the old package, on Python 2.7")
    readme = commands("README.md", "### Replace the `.so`")
    assert set(readme) < set(ours)


def test_a_pin(python2):
    """What pkg_resources says of the two lines about the version, on the package installed."""
    line = blocks(PAGE, "## 2. This package, still on Python 2.7")[1]
    program = "__import__('pkg_resources').require('%s')[0].project_name"
    assert line == "fapws3>=0.11.dev"
    assert python2.evaluate(program % line) == "'fapws3'"
    with pytest.raises(BuildError, match="VersionConflict"):
        python2.evaluate(program % "fapws3==0.11.dev")


BYTES_IN_TARGET = b"GET /process/caf\xc3\xa9 HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
NO_HOST = b"GET /environ HTTP/1.1\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("raw", [BYTES_IN_TARGET, NO_HOST])
def test_what_is_malformed_in_one_dialect(ask, dialect, raw):
    assert ask(dialect).request(raw).status == (200 if dialect == "legacy" else 400)


def test_a_post_to_a_file(ask, dialect):
    response = send(ask(dialect), "POST", "/files/moving.py", b"a", "Content-Length: 1")
    assert response.status == (200 if dialect == "legacy" else 405)

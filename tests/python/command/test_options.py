"""What the command takes, and what it says about what it does not take."""

import os
import re
import shutil
import signal
import socket

import pytest
from command import complaints, write
from support import ROOT
from support.process import wait_until

REFUSED = 2


def complaint(outcome):
    """What a call that was refused said on stderr; it must be no traceback of the command's own."""
    outcome.check(REFUSED)
    assert "fapws/__main__.py" not in outcome.stderr
    return outcome.stderr


@pytest.mark.parametrize(
    "words, said",
    [
        ("hello:ap", "hello has no ap; did you mean app?"),
        ("hello", "hello has no application; what can be called there: app"),
        ("hello:VERSION", "hello:VERSION is a str, which is no WSGI application"),
        ("hello.py", "hello.py is a file; name the module: hello:NAME"),
        ("hello.py:app", "hello.py is a file; name the module: hello:app"),
        ("helo:app", "there is no module helo"),
        ("helo:app", "did you mean hello?"),
        ("hello.deep:app", "hello is a module, not a package"),
        (".", ". is a folder, not a module; name one of its modules: broken, hello, lacking"),
        ("site/", "site/ is a folder, not a module; the package has site.urls, site.wsgi"),
        ("sites/", "start in it (cd sites/) and name one of its modules: wsgi"),
        ("sites/wsgi.py:app", "name the module: wsgi:app, started in the folder sites"),
        ("hello:app()()", "only literals can be arguments"),
        ("hello:a b", "invalid attribute name"),
        ("hello:fail(open)", "only literals can be arguments"),
        ("broken:app", "importing broken failed:\nTraceback"),
        ("broken:app", "No module named"),
        ("lacking:app", "SyntaxError"),
        ("hello:fail()", "ZeroDivisionError"),
        ("", "there is no module name"),
    ],
)
def test_an_application_that_is_not_there(call, home, words, said):
    write(home, broken="import nothing_of_the_kind", lacking="def (")
    with open(home / "hello.py", "a") as source:
        source.write("\ndef fail():\n    1 / 0\n")
    write(home / "site", __init__="", urls="", wsgi="")
    write(home / "sites", wsgi="app = 1")
    assert said in complaint(call("--check", words))


@pytest.mark.parametrize("words", ["hello:app", "hello:make()", "hello:make('a', b=[1])"])
def test_check_loads_the_application(call, home, words):
    with open(home / "hello.py", "a") as source:
        source.write("\ndef make(*args, **kwargs):\n    return app\n")
    assert "is an application (app)" in call("--check", words).check().stdout


def test_the_settings_of_a_file_are_in_force(run_command, home):
    (home / "settings.py").write_text(
        "import os\ndef double(n):\n    return 2 * n\n_base = 10\n"
        "max_request_line = double(_base)\nSERVER_IDENT = 'mine/1.00'\n"
    )
    command = run_command("hello:app", "--config", "settings.py")
    assert command.get("/").header("Server") == "mine/1.00"
    assert command.get("/" + "a" * 50).status == 414


@pytest.mark.wire
@pytest.mark.parametrize(
    "line, said",
    [
        ("header_timout = 3", "there is no setting header_timout; did you mean header_timeout?"),
        ("BIND = ':80'", "settings.py: there is no setting BIND; did you mean bind?"),
        ("bind = 80", "settings.py: bind must be a string or a list of strings, not 80"),
        ("workers = 0", "settings.py: workers must be a whole number, 1 or more, not 0"),
        ("workers = True", "settings.py: workers must be a whole number, 1 or more, not True"),
        ("log_level = 'loud'", '"error" or "critical", not \'loud\''),
        ("umask = 0o1777", "settings.py: umask must be an octal number from 0 to 777"),
        ("user = 'nobody-of-that-name'", "settings.py: user: there is no user nobody-of-that-name"),
        ("forwarded_allow_ips = '10.0.0.0/33'", "must be addresses and networks between commas"),
        ("post_fork = 3", "settings.py: post_fork must be a function, not 3"),
        ("header_timeout = -1", "header_timeout must be a number, 0 or more, not -1"),
        ("header_timeout = 'long'", "header_timeout must be a number, 0 or more, not 'long'"),
        ("dialect = 'modern'", "dialect must be \"standard\" or \"legacy\", not 'modern'"),
        ("SERVER_IDENT = 3", "settings.py: SERVER_IDENT must be a string, not 3"),
        ("SERVER_IDENT = 'a\\nb'", "SERVER_IDENT must be one line, as a header is, not 'a"),
        ("max_body_size = [1]", "settings.py: max_body_size must be a number, 0 or more, not [1]"),
        ("write_timeout = True", "write_timeout must be a number, 0 or more, not True"),
        ("tcp_defer_accept = 'no'", "tcp_defer_accept must be True or False, not 'no'"),
        ("def dialect():\n    pass", 'dialect must be "standard" or "legacy", not <function'),
        ("import sys\nsys.exit('gone')", "settings.py, line 2: SystemExit: gone"),
        ("x = = 3", "line 1: invalid syntax"),
        ("\n_x = 1 / 0", "line 2: ZeroDivisionError"),
    ],
)
def test_settings_that_cannot_be(call, home, line, said):
    (home / "settings.py").write_text(line + "\n")
    assert said in complaint(call("--check", "hello:app", "--config", "settings.py"))


def test_a_file_of_settings_that_is_not_there(call):
    said = complaint(call("--check", "hello:app", "--config", "nothing.py"))
    assert "nothing.py: No such file" in said


@pytest.mark.wire
@pytest.mark.parametrize(
    "address, said",
    [
        ("8000", "did you mean 127.0.0.1:8000?"),
        ("http://127.0.0.1:8000/", "did you mean 127.0.0.1:8000?"),
        ("::1:8000", "an IPv6 address needs brackets: [::1]:8000"),
        ("/run/x.sock", "did you mean unix:/run/x.sock?"),
        ("localhost", "did you mean localhost:8000?"),
        ("127.0.0.1:99999", "a port is a number from 0 to 65535"),
        ("127.0.0.1:\xb2", "a port is a number from 0 to 65535"),
        ("a..b:80", "cannot listen on http://a..b:80: "),
        ("192.0.2.1:8000", "cannot listen on http://192.0.2.1:8000: Cannot assign requested"),
        ("unix:", "needs a path"),
        ("unix:no/a.sock", "cannot listen on unix:no/a.sock: there is no folder no\n"),
        ("unix:hello.py", "the file exists and is not a socket"),
        ("unix:" + "x" * 200, "too long"),
        ("fd://x", "a descriptor is a number"),
        ("fd://99", "Bad file descriptor"),
        ("fd://99999999999999999999", "a descriptor is a number"),
        ("fd://0", "Socket operation on non-socket"),
    ],
)
def test_an_address_that_cannot_be(call, address, said):
    assert said in complaint(call("hello:app", "--bind", address))


@pytest.mark.wire
def test_an_address_that_is_taken(call):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = complaint(call("hello:app", "--bind", "127.0.0.1:%d" % taken.getsockname()[1]))
    assert "the port is already in use: stop the other server, or choose another port with" in said


def test_the_source_without_its_core(call, home):
    clone = home / "clone"
    shutil.copytree(ROOT / "fapws", clone / "fapws", ignore=shutil.ignore_patterns("*.so"))
    (clone / "setup.py").touch()
    said = complaint(call("--version", home=clone))
    assert said.startswith(f"fapws: {clone} is the source without its compiled core: leave this")
    assert said.endswith(" setup.py build_ext --inplace)\n") and said.count("\n") == 1
    # Nor is a failure of another kind taken for this one.
    (clone / "setup.py").unlink()
    assert "Traceback" in call("--version", home=clone).check(1).stderr


@pytest.mark.wire
@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_a_number_of_workers_that_cannot_be(call, number):
    assert "--workers" in complaint(call("hello:app", "--workers", number))


def test_the_version(call):
    said = call("--version").check().stdout
    version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.M).group(1)
    versions = r"fapws3/\d+\.\d\d, libev \d+\.\d+, Python \S+; package fapws3 (\S+)\n"
    assert re.fullmatch(versions, said).group(1) == version


def test_an_application_that_does_not_load_ends_the_command(call):
    outcome = call("hello:nothing", "--bind", "127.0.0.1:0", "--workers", "3").check(1)
    assert "hello has no nothing" in outcome.stderr


@pytest.mark.wire
def test_several_addresses_of_every_kind(run_command, home):
    command = run_command("hello:app", "--bind", "unix:a.sock", "--bind", "[::1]:0")
    tcp, command.address = command.address, str(home / "a.sock")
    assert command.get("/").status == 200
    command.stop().check()
    assert not (home / "a.sock").exists()
    assert tcp


@pytest.mark.wire
def test_a_stale_unix_socket_is_replaced_and_a_live_one_is_not(run_command, call, home):
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(home / "a.sock"))
    stale.close()
    command = run_command("hello:app", "--bind", "unix:a.sock")
    command.address = str(home / "a.sock")
    assert command.get("/").status == 200
    said = complaint(call("hello:app", "--bind", "unix:a.sock"))
    assert said.endswith("unix:a.sock: a server is listening on this unix socket\n")
    assert command.get("/").status == 200


@pytest.mark.wire
def test_the_dialect_is_the_standard_one_unless_told_otherwise(run_command):
    assert run_command("hello:app").get("/").version == "HTTP/1.1"
    assert run_command("hello:app", "--dialect", "legacy").get("/").version == "HTTP/1.0"


@pytest.mark.wire
def test_the_option_wins_over_the_environment(run_command):
    env = {"FAPWS_DIALECT": "legacy"}
    assert run_command("hello:app", env=env).get("/").version == "HTTP/1.0"
    command = run_command("hello:app", "--dialect", "standard", env=env)
    assert command.get("/").version == "HTTP/1.1"


@pytest.mark.parametrize("more", [["--bind", "127.0.0.1:0"], ["--check"]])
def test_another_word_for_a_dialect(call, more):
    said = complaint(call("hello:app", *more, env={"FAPWS_DIALECT": "modern"}))
    assert said == """fapws: FAPWS_DIALECT must be "standard" or "legacy", not 'modern'\n"""


@pytest.mark.wire
def test_no_word_for_a_dialect(call):
    call("--check", "hello:app", env={"FAPWS_DIALECT": ""}).check()


@pytest.mark.wire
def test_the_file_with_the_process_id(run_command, call, home):
    command = run_command("hello:app", "--pid", "a.pid")
    assert (home / "a.pid").read_text() == f"{command.pid}\n"
    said = complaint(call("hello:app", "--pid", "a.pid", "--bind", "127.0.0.1:0"))
    assert f"a.pid: a master is already running ({command.pid})" in said
    command.stop().check()
    assert not (home / "a.pid").exists()


def test_a_line_where_there_is_no_terminal(run_command):
    command = run_command("hello:app", "--bind", "unix:a.sock")
    addresses = f"unix:a.sock, http://127.0.0.1:{command.address[1]}"
    command.wait_for_output(f"[{command.pid}] [INFO] serving hello:app on {addresses}\n", "stderr")
    outcome = command.stop().check()
    assert (outcome.stdout, complaints(outcome)) == ("", "")


def test_a_banner_at_a_terminal(interpreter, home):
    # A process of its own session, as a terminal's emulator starts it.
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home)
        command = [interpreter.python, "-m", "fapws", "hello:app", "--bind", "127.0.0.1:0"]
        os.execv(command[0], command)
    shown, ended = b"", False
    try:
        while b"Ctrl-C ends it" not in shown:
            shown += os.read(terminal, 4096)
        assert re.search(rb"\x1b\[1mfapws3/.*http://127\.0\.0\.1:\d+", shown, re.S)
        os.write(terminal, b"\x03")
        ended = wait_until(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, "Ctrl-C to end it")
    finally:
        os.close(terminal)
        if not ended:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@pytest.mark.wire
def test_the_page_of_settings_has_every_option(interpreter, call):
    page = (ROOT / "docs" / "settings.md").read_text()
    options = set(re.findall(r"--[a-z][a-z-]+", call("--help").check().stdout))
    assert {option for option in options if f"`{option}" not in page} == set()

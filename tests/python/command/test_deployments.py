"""What deployments do: links to releases, folders that vanish, process ids, sockets, rights."""

import os
import re
import shutil
import signal
import socket
import stat
import textwrap

import pytest
from command import HELLO, Command, log_lines, served_by, write
from support.ports import free_port
from support.process import Process, wait_until

pytestmark = pytest.mark.each_major

REFUSED = 2


class Linked(Command):
    """The command, started by a shell in a folder that is a symbolic link."""

    def __init__(self, environment, *arguments, link, **options):
        super().__init__(environment, *arguments, **options)
        self.command = ["sh", "-c", f'cd {link} && exec "$@"', "sh", *self.command]


@pytest.fixture
def release(tmp_path):
    """`release("one")`: a release with this version, and `current` pointed at it."""
    current = tmp_path / "current"

    def release(version):
        folder = tmp_path / version
        write(folder, hello=HELLO.replace('"one"', f'"{version}"'))
        (tmp_path / "next").symlink_to(folder)
        (tmp_path / "next").rename(current)
        return folder

    release.link = current
    return release


def wait_for_version(command, version):
    wait_until(lambda: served_by(command.get("/"))[1] == version, f"version {version}")


@pytest.mark.parametrize("how", ["PWD", "--chdir"])
def test_a_reload_follows_the_link(start_process, interpreter, release, tmp_path, how):
    first = release("one")
    if how == "PWD":
        command = start_process(Linked, interpreter, "hello:app", link=release.link, home=tmp_path)
    else:
        words = ["hello:app", "--chdir", "current"]
        command = start_process(Command, interpreter, *words, home=tmp_path)
    assert served_by(command.get("/"))[1] == "one"
    release("two")
    command.send_signal(signal.SIGHUP)
    wait_for_version(command, "two")
    # Nor does it matter that the old release is gone.
    for file in sorted(first.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    first.rmdir()
    release("three")
    command.send_signal(signal.SIGHUP)
    wait_for_version(command, "three")


@pytest.mark.wire
def test_a_folder_that_is_gone(start_process, interpreter, release, tmp_path):
    """A worker that is replaced finds the next release; without one a reload says what is wrong."""
    first = release("one")
    command = start_process(Linked, interpreter, "hello:app", link=release.link, home=tmp_path)
    (worker,) = command.wait_for_workers(1)
    release("two")
    for file in sorted(first.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    first.rmdir()
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: command._answers(), "a worker in its place")
    assert served_by(command.get("/"))[1] == "two"
    release.link.unlink()
    command.send_signal(signal.SIGHUP)
    command.wait_for_output(f"no reload: cannot change to {release.link}", "stderr")
    assert served_by(command.get("/"))[1] == "two"


def test_folders_to_import_from(call, home):
    write(home / "lib", helping="app = lambda environ, start_response: []")
    call("--check", "helping:app", "--pythonpath", "lib").check()
    write(home / "more", other="app = lambda environ, start_response: []")
    call("--check", "other:app", "--pythonpath", "lib,more").check()


# --- the process id ---------------------------------------------------------------------------


@pytest.mark.wire
@pytest.mark.parametrize("text", ["1\n", "-1\n", "{living}\n", "", "0", "99999999"])
def test_a_number_left_behind_means_nothing(run_command, home, text):
    (home / "a.pid").write_text(text.format(living=os.getpid()))
    command = run_command("hello:app", "--pid", "a.pid")
    assert (home / "a.pid").read_text() == f"{command.pid}\n"
    command.stop().check()
    assert not (home / "a.pid").exists()


@pytest.mark.wire
def test_a_file_that_is_no_process_id_is_left_alone(call, home):
    said = call("hello:app", "--pid", "hello.py", "--bind", "127.0.0.1:0").check(REFUSED).stderr
    assert "--pid hello.py: the file exists, and has no process id" in said
    assert "VERSION" in (home / "hello.py").read_text()


@pytest.mark.wire
def test_workers_that_outlive_the_master_do_not_hold_the_file(run_command, home):
    command = run_command("hello:app", "--pid", "a.pid")
    (worker,) = command.wait_for_workers(1)
    with command.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\n")
        command.get("/")
        command.kill()
        other = run_command("hello:app", "--pid", "a.pid")
        assert (home / "a.pid").read_text() == f"{other.pid}\n"
        client.send(b"x")
        assert served_by(client.response())[0] == worker


@pytest.mark.wire
def test_a_file_of_another_master_is_not_removed(run_command, home):
    command = run_command("hello:app", "--pid", "a.pid")
    (home / "a.pid").unlink()
    (home / "a.pid").write_text("123\n")
    command.stop().check()
    assert (home / "a.pid").read_text() == "123\n"


@pytest.mark.wire
def test_nothing_stays_when_the_process_id_cannot_be_written(call, home):
    words = ["hello:app", "--bind", "unix:a.sock", "--pid", "nothing/a.pid"]
    said = call(*words).check(REFUSED).stderr
    assert said == "fapws: --pid nothing/a.pid: No such file or directory\n"
    assert not (home / "a.sock").exists()


@pytest.mark.wire
def test_nothing_stays_when_an_address_cannot_be_had(call, home):
    words = ["hello:app", "--bind", "unix:a.sock", "--bind", "192.0.2.1:1", "--pid", "a.pid"]
    call(*words).check(REFUSED)
    assert not (home / "a.sock").exists() and not (home / "a.pid").exists()


# --- development ------------------------------------------------------------------------------


class Waiting(Command):
    """The command, not waited for."""

    def start(self):
        return Process.start(self)


@pytest.mark.wire
@pytest.mark.parametrize("source", ["import sys\nsys.exit(3)\n", "import lacking\n", "app = 3\n"])
def test_a_start_that_fails_waits_for_a_change(start_process, interpreter, home, source):
    write(home, hello=source)
    command = start_process(Waiting, interpreter, "hello:app", "--reload", home=home)
    command.wait_for_output("waiting for the next change of a source file\n", "stderr")
    if "lacking" in source:
        write(home, lacking=HELLO)
        command.wait_for_output("hello has no app", "stderr")
    write(home, hello=HELLO)
    wait_until(command._answers, "an answer")


def test_a_module_that_is_written_later(start_process, interpreter, home):
    command = start_process(Waiting, interpreter, "late:app", "--reload", home=home)
    command.wait_for_output("waiting for the next change of a source file\n", "stderr")
    write(home, late=HELLO)
    wait_until(command._answers, "an answer")


@pytest.mark.wire
def test_a_file_that_counts_as_a_source(run_command, home):
    (home / "page.html").write_text("one")
    command = run_command("hello:app", "--reload", "--reload-extra-file", "page.html")
    before = command.wait_for_workers(1)
    (home / "page.html").write_text("another")
    wait_until(lambda: not before & command.workers, "a new worker")


# --- addresses --------------------------------------------------------------------------------


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


ANY = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.wire
@ANY
@pytest.mark.parametrize("host", ["", "localhost"])
def test_every_address_of_a_name(run_command, host):
    names = {each[4][0] for each in socket.getaddrinfo(
        host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)}
    port = free_port()
    command = run_command("hello:app", "--bind", f"{host}:{port}")
    shown = f"http://{host or '*'}:{port}, http://127.0.0.1:{command.address[1]}"
    command.wait_for_output(f"serving hello:app on {shown}\n", "stderr")
    for name in names:
        command.address = ({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(name, name), port)
        assert command.get("/").status == 200


@pytest.mark.wire
@ANY
def test_a_free_port_is_the_same_in_both_families(run_command):
    command = run_command("hello:app", "--bind", ":0")
    command.wait_for_output("serving hello:app on http://*:", "stderr")
    text = log_lines(command.stderr)[-1][2]
    port = int(text.split("http://*:")[1].split(",")[0])
    for host in ["127.0.0.1", "::1"]:
        command.address = (host, port)
        assert command.get("/").status == 200


@pytest.mark.wire
def test_a_port_of_a_name_that_is_taken_in_one_family(call):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = ["hello:app", "--bind", f"localhost:{taken.getsockname()[1]}"]
        assert "the port is already in use" in call(*words).check(REFUSED).stderr


# --- rights -----------------------------------------------------------------------------------

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")

#: Says who serves.
WHO = """
    import os

    AT_IMPORT = os.geteuid()

    def app(environ, start_response):
        start_response("200 OK", [])
        known = repr((AT_IMPORT, os.getuid(), os.getgid(), sorted(os.getgroups())))
        return [known if isinstance(known, bytes) else known.encode("ascii")]
"""


@pytest.fixture
def reachable(home):
    """The folder `home`, which other users can enter."""
    for folder in [home, *home.parents]:
        if os.stat(folder).st_uid == os.geteuid() and folder.parts[-1:] != ("/",):
            if str(folder).startswith("/tmp/"):
                folder.chmod(0o755)
    return home


@pytest.mark.wire
@ROOT_ONLY
def test_workers_are_another_user_and_the_master_is_not(run_command, reachable):
    import grp
    import pwd

    nobody = pwd.getpwnam("nobody")
    write(reachable, who=WHO)
    words = ["who:app", "--user", "nobody", "--access-log", "a.log", "--bind", "unix:a.sock"]
    command = run_command(*words)
    groups = sorted({nobody.pw_gid} | {
        each.gr_gid for each in grp.getgrall() if "nobody" in each.gr_mem})
    expected = (nobody.pw_uid, nobody.pw_uid, nobody.pw_gid, groups)
    assert command.get("/").body.decode() == repr(expected)
    assert os.stat(f"/proc/{command.pid}").st_uid == 0
    assert os.stat(reachable / "a.log").st_uid == nobody.pw_uid
    (reachable / "a.log").rename(reachable / "b.log")
    command.stop().check()
    assert not (reachable / "a.sock").exists()


@pytest.mark.wire
@ROOT_ONLY
@pytest.mark.parametrize("preload", [(), ("--preload",)])
def test_an_application_that_the_user_cannot_read(call, reachable, preload):
    reachable.chmod(0o700)
    words = ["hello:app", "--user", "nobody", "--bind", "127.0.0.1:0"]
    outcome = call(*words, *preload).check(1)
    said = [text for _, _, text in log_lines(outcome.stderr)]
    assert said[0].startswith("there is no module hello")
    # Of several folders, one is named.
    cannot = r"user nobody cannot read \S+: install Python and the application where this user"
    assert len(said) == 2 and re.fullmatch(cannot + " can read them", said[1])


@pytest.mark.wire
@ROOT_ONLY
def test_a_python_that_the_user_cannot_read(interpreter, tmp_path, reachable):
    """A package, for the standard library: each is in a folder that the new user cannot enter."""
    secret = tmp_path / "secret"
    source = interpreter.evaluate("__import__('fapws').__path__[0]").strip("'")
    shutil.copytree(source, secret / "fapws")
    secret.chmod(0o700)
    write(reachable, hello="import json.tool\nimport fapws.contrib.views\n" + (
        textwrap.dedent(HELLO)))
    words = ["hello:app", "--user", "nobody", "--bind", "127.0.0.1:0"]
    command = [interpreter.python, "-m", "fapws", *words]
    env = {"PYTHONPATH": str(secret)}
    process = Process(command, tmp_path / "run", env=env, cwd=reachable)
    outcome = process.start().wait().check(1)
    errors = [text for _, level, text in log_lines(outcome.stderr) if level == "ERROR"]
    assert " cannot read " in errors[-1] and errors[-1].startswith("user nobody cannot read ")
    assert len(errors) == 2 and "the worker failed" not in outcome.stderr


@pytest.mark.wire
@ROOT_ONLY
def test_a_group_by_number(run_command, reachable):
    write(reachable, who=WHO)
    command = run_command("who:app", "-u", "12345", "-g", "54321")
    assert command.get("/").body == b"(12345, 12345, 54321, [54321])"


@pytest.mark.wire
@ROOT_ONLY
def test_only_root_can_be_another_user(interpreter, tmp_path, home):
    program = write(tmp_path, demote="""
        import os, sys
        from fapws.__main__ import main
        os.setgid(65534)
        os.setuid(65534)
        sys.exit(main(sys.argv[1:]))
    """) / "demote.py"
    command = [interpreter.python, program, "--check", "hello:app", "--user", "root"]
    outcome = Process(command, tmp_path / "run").start().wait().check(REFUSED)
    assert outcome.stderr == "fapws: user: only root can serve as another user or group\n"


@pytest.mark.wire
def test_the_mode_of_a_socket(run_command, home):
    command = run_command("hello:app", "--bind", "unix:a.sock?mode=660", "--umask", "077")
    assert stat.S_IMODE((home / "a.sock").stat().st_mode) == 0o660
    command.address = str(home / "a.sock")
    assert command.get("/").status == 200
    command.stop().check()
    assert not (home / "a.sock").exists()


@pytest.mark.wire
@ROOT_ONLY
def test_the_owner_of_a_socket(run_command, home):
    words = ["--bind", "unix:a.sock?mode=600&owner=nobody:54321", "--bind", "unix:b.sock?owner=:7"]
    run_command("hello:app", *words)
    first, second = (home / "a.sock").stat(), (home / "b.sock").stat()
    assert (first.st_uid != 0, first.st_gid, stat.S_IMODE(first.st_mode)) == (True, 54321, 0o600)
    assert (second.st_uid, second.st_gid, stat.S_IMODE(second.st_mode)) == (0, 7, 0o755)


@pytest.mark.wire
@pytest.mark.parametrize(
    "address, said",
    [
        ("unix:a.sock?mod=660", "'mod=660' is not one of mode=660, owner=USER:GROUP"),
        ("unix:a.sock?mode=999", "'mode=999' is not one of"),
        ("unix:a.sock?owner=nobody-of-that-name", "there is no user nobody-of-that-name"),
        ("unix:@a?mode=660", "an abstract socket has no mode and no owner"),
    ],
)
def test_a_socket_that_cannot_be(call, home, address, said):
    assert said in call("hello:app", "--bind", address).check(REFUSED).stderr
    assert not list(home.glob("a.sock*"))


@pytest.mark.wire
def test_the_umask(run_command, home):
    write(home, making=HELLO + "    open('made', 'w').close()\n")
    run_command("making:app", "--umask", "027")
    assert stat.S_IMODE((home / "made").stat().st_mode) == 0o640


# --- words ------------------------------------------------------------------------------------


def test_a_module_with_a_dash(run_command, call, home):
    write(home, **{"dash-name": HELLO})
    said = call("--check", "dash-name.py:app").check(REFUSED).stderr
    assert "name the module: dash-name:app" in said
    assert run_command("dash-name:app").get("/").status == 200


@pytest.mark.parametrize(
    "words, said",
    [
        (["--access-log", "access.log"], "which application? Name it as MODULE:NAME"),
        (["--access-log", "logs/hello:app"], "which application?"),
        (["--bogus", "30", "hello:app"], "there is no option --bogus"),
    ],
)
def test_what_is_missing_is_what_is_named(call, words, said):
    assert said in call(*words).check(REFUSED).stderr


def test_a_factory_that_exits(call, home):
    with open(home / "hello.py", "a") as source:
        source.write("\ndef make():\n    import sys\n    sys.exit(5)\n")
    said = call("--check", "hello:make()").check(REFUSED).stderr
    assert "calling hello:make() ended in sys.exit(5)" in said and "hello.py" in said


# --- titles -----------------------------------------------------------------------------------


def title(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().rstrip(b"\0").decode()


@pytest.mark.parametrize("words, name", [([], "hello:app"), (["--name", "site"], "site")])
def test_the_titles_of_processes(interpreter, run_anew, words, name):
    if interpreter.major == 2:
        pytest.skip("setproctitle has no wheel for Python 2")
    env = {"PYTHONPATH": str(interpreter.library("setproctitle"))}
    command = run_anew("hello:app", *words, env=env)
    (worker,) = command.wait_for_workers(1)
    assert title(command.pid) == f"fapws: master [{name}]"
    assert title(worker) == f"fapws: worker [{name}]"


@pytest.mark.wire
def test_a_title_needs_its_package(run_command):
    command = run_command("hello:app", "--name", "site")
    command.wait_for_output("[WARNING] name has no effect: the setproctitle package is", "stderr")

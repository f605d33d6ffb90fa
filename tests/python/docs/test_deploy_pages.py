"""The pages of docs/deploy: what each tells a reader to write and to type works.

A page's files and commands are used as they stand, but for ports and paths of this machine. Each
replacement is of a text that must be there.
"""

import ast
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
from docs import pages
from docs.test_readme import Typed
from support import PATIENCE, ROOT, unavailable
from support.environment import run
from support.ports import free_port
from support.process import Process, clean_environment, wait_until
from support.websocket import FLASK_WITH_SOCKETS, WebSocket

SYSTEM_PATH = os.pathsep.join(
    [os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", str(ROOT / "build/pound/sbin")]
)

#: For pages that show no application.
HELLO = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello\\n"]
"""


def test_each_page_has_a_test():
    for path in (ROOT / "docs/deploy").glob("*.md"):
        assert any(name.startswith("test_" + path.stem) for name in globals()), path


def program(name, packaged=True):
    """The path of a program; skips the test without it, or fails where completeness counts."""
    path = shutil.which(name, path=SYSTEM_PATH)
    if path is None and packaged:
        unavailable(f"no {name} on this machine: its page is not tested")
    return path or pytest.skip(f"no {name} on this machine: its page is not tested")


def replaced(text, **pairs):
    """`text` with each of the pairs' texts, which must stand in it, replaced: old=, new=."""
    for old, new in pairs["pairs"]:
        assert old in text, f"the page has no {old!r}"
        text = text.replace(old, str(new))
    return text


@pytest.fixture
def home(tmp_path):
    """`home(page, name=text, ...)`: a folder with hello.py and the page's files, some changed."""

    def write(page, **changed):
        (tmp_path / "hello.py").write_text(HELLO)
        for name, text in {**pages.files(page), **changed}.items():
            (tmp_path / name).write_text(text)
        return tmp_path

    return write


@pytest.fixture
def serve_typed(python3, start_process):
    """`serve_typed(page, number, home)`: the page's command of this number, on a free port."""

    def start(page, number, folder, env=None, more=()):
        typed = [line for line in pages.typed(page) if "-m fapws" in line]
        words = re.findall(r"'[^']*'|\S+", typed[number])
        assert words[:3] == ["python", "-m", "fapws"]
        words = [word.strip("'\"") for word in words[3:]]
        port = free_port()
        if "--bind" in words:
            words[words.index("--bind") + 1] = f"127.0.0.1:{port}"
        else:
            words = ["--bind", f"127.0.0.1:{port}", *words]
        command = [python3.python, "-m", "fapws", *words, *more]
        return start_process(Typed, command, port, cwd=folder, env=env)

    return start


class Proxy(Process):
    """A proxy that takes connections on `port`."""

    def __init__(self, command, port, folder, cwd):
        super().__init__(command, folder, cwd=cwd)
        self.port = port

    def start(self):
        """Run it and wait until it accepts; returns self."""
        super().start()
        wait_until(lambda: not self.alive or self.accepts(), f"{self.command}")
        assert self.alive, self.stderr
        return self

    def accepts(self):
        """Whether something listens there."""
        try:
            self.get("/")
        except OSError:
            return False
        return True

    def get(self, target, source="127.0.0.1", **headers):
        """(status, body) of a request from this local address."""
        address = ("127.0.0.1", self.port)
        client = http.client.HTTPConnection(
            *address, timeout=PATIENCE, source_address=(source, 0)
        )
        client.request("GET", target, headers=headers)
        response = client.getresponse()
        return response.status, response.read()


def test_nginx(home, serve_typed, start_process):
    page, nginx, front = "docs/deploy/nginx.md", program("nginx"), free_port()
    folder = home(page)
    fapws = serve_typed(page, 0, folder)
    pairs = [("127.0.0.1:8081", "127.0.0.1:%d" % fapws.address[1])]
    pairs += [("listen 8080", f"listen {front}")]
    (folder / "hello.conf").write_text(replaced(pages.files(page)["hello.conf"], pairs=pairs))
    main = (ROOT / "sample/nginx/nginx.conf").read_text()
    main = replaced(main, pairs=[("include fapws.conf", "include hello.conf")])
    (folder / "nginx.conf").write_text(main)
    command = [nginx, "-p", ".", "-c", "nginx.conf", "-e", "stderr"]
    if os.geteuid() == 0:
        command += ["-g", "user root;"]
    proxy = start_process(Proxy, command, front, cwd=folder)
    spoofed = {"X-Forwarded-For": "10.9.8.7", "X-Forwarded-Proto": "gopher"}
    assert proxy.get("/", source="127.0.0.2", **spoofed) == (200, b"http 127.0.0.2\n")


class OnUnixSocket(Typed):
    """A command that serves on the socket with this path."""

    def __init__(self, command, path, folder, cwd):
        super().__init__(command, 0, folder, cwd=cwd)
        self.address = str(path)

    def _answers(self):
        return os.path.exists(self.address) and super()._answers()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_nginx_over_a_unix_socket(python3, home, start_process):
    page, nginx, front = "docs/deploy/nginx.md", program("nginx"), free_port()
    folder, heading = home(page), "## Over a unix socket"
    for each in [folder, *folder.parents]:
        if str(each).startswith("/tmp/"):
            each.chmod(0o755)
    (shell,) = [each.text for each in pages.fences(page, heading) if each.language == "sh"]
    here = [("/run/hello", folder / "run"), ("hello:www-data", "nobody:www-data")]
    here += [("--user hello", "--user nobody")]
    mkdir, command = replaced(shell, pairs=here).splitlines()
    subprocess.run(mkdir.split(), check=True)
    words = [word.strip("'") for word in command.split()]
    start_process(
        OnUnixSocket, [python3.python, *words[1:]], folder / "run/hello.sock", cwd=folder)
    (upstream,) = [each.text for each in pages.fences(page, heading) if each.language == "nginx"]
    pairs = [("listen 8080", f"listen 127.0.0.1:{front}")]
    server = replaced(pages.files(page)["hello.conf"].partition("\n}\n")[2], pairs=pairs)
    (folder / "hello.conf").write_text(replaced(upstream, pairs=here[:1]) + server)
    main = (ROOT / "sample/nginx/nginx.conf").read_text()
    main = replaced(main, pairs=[("include fapws.conf", "include hello.conf")])
    (folder / "nginx.conf").write_text(main)
    command = [nginx, "-p", ".", "-c", "nginx.conf", "-e", "stderr", "-g", "user www-data;"]
    proxy = start_process(Proxy, command, front, cwd=folder)
    status, body = proxy.get("/")
    assert (status, body.split()[0]) == (200, b"http"), proxy.stderr


class Haproxy(Proxy):
    """HAProxy, which ends in order at SIGUSR1."""

    def stop(self, number=signal.SIGUSR1):
        return super().stop(number)


@pytest.mark.long(9)
def test_haproxy(home, serve_typed, start_process):
    page, haproxy, front = "docs/deploy/haproxy.md", program("haproxy"), free_port()
    folder = home(page)
    servers = [serve_typed(page, number, folder) for number in (0, 1)]
    pairs = [("bind :8080", f"bind 127.0.0.1:{front}")]
    pairs += [(f"127.0.0.1:{8081 + n}", "127.0.0.1:%d" % servers[n].address[1]) for n in (0, 1)]
    (folder / "haproxy.cfg").write_text(replaced(pages.files(page)["haproxy.cfg"], pairs=pairs))
    check, start = [line.split() for line in pages.typed(page) if line.startswith("haproxy")]
    run(haproxy, *check[1:], cwd=folder)
    proxy = start_process(Haproxy, [haproxy, *start[1:]], front, cwd=folder)
    wait_until(lambda: proxy.get("/") == (200, b"Hello\n"), "the checks to pass")
    servers[0].stop().check()
    wait_until(lambda: {proxy.get("/")[0] for _ in range(8)} == {200}, "the other to take over")


def test_pound(home, serve_typed, start_process):
    page, pound, front = "docs/deploy/pound.md", program("pound", packaged=False), free_port()
    folder = home(page)
    fapws = serve_typed(page, 0, folder)
    pairs = [("Port 8081", f"Port {fapws.address[1]}"), ("Port 8080", f"Port {front}")]
    (folder / "pound.cfg").write_text(replaced(pages.files(page)["pound.cfg"], pairs=pairs))
    (start,) = [line.split() for line in pages.typed(page) if line.startswith("pound")]
    proxy = start_process(Proxy, [pound, *start[1:]], front, cwd=folder)
    assert proxy.get("/") == (200, b"Hello\n")


SYSTEMD = "docs/deploy/systemd.md"


def test_systemd_units(tmp_path):
    analyze = program("systemd-analyze", packaged=False)
    for name, text in pages.files(SYSTEMD).items():
        text = text.replace("/srv/hello/venv/bin/python", sys.executable)
        (tmp_path / name).write_text(text)
    units = sorted(tmp_path.iterdir())
    assert [unit.name for unit in units] == ["hello.service", "hello.socket"]
    outcome = subprocess.run(
        [analyze, "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    said = [line for line in (outcome.stdout + outcome.stderr).splitlines() if "hello" in line]
    assert (outcome.returncode, said) == (0, [])


def test_systemd_activation(python3, home, start_process):
    activate = program("systemd-socket-activate", packaged=False)
    folder = home(SYSTEMD)
    (words,) = re.findall(r"^ExecStart=(\S+) (.*)$", pages.files(SYSTEMD)["hello.service"], re.M)
    assert words[0] == "/srv/hello/venv/bin/python" and "--bind" not in words[1]
    port = free_port()
    command = [activate, "-l", f"127.0.0.1:{port}", python3.python, *words[1].split()]
    server = start_process(Typed, command, port, cwd=folder)
    assert server.get("/").body == b"Hello\n"


CONTAINERS = "docs/deploy/containers.md"


def test_containers_command_is_process_1(python3, home, tmp_path):
    """The image is not built here: its command runs as process 1 of a process namespace."""
    unshare = program("unshare", packaged=False)
    namespace = [unshare, "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*namespace, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("no process namespaces on this machine: the container's command is not run")
    folder = home(CONTAINERS)
    dockerfile = pages.files(CONTAINERS)["Dockerfile"].replace("\\\n", "")
    (command,) = re.findall(r"^CMD (\[.*\])$", dockerfile, re.M)
    python, *words = json.loads(command)
    assert python == "python"
    port = free_port()
    words[words.index("0.0.0.0:8000")] = f"127.0.0.1:{port}"
    # It prints its number, and becomes the command.
    become = "import os, sys; print(os.getpid(), flush=True); os.execv(sys.argv[1], sys.argv[1:])"
    words = [*namespace, "--kill-child", python3.python, "-c", become, python3.python, *words]
    server = Typed(words, port, tmp_path / "process", cwd=folder).start()
    try:
        assert server.get("/").body == b"Hello\n"
        assert server.stdout.splitlines()[0] == "1"
        with open(f"/proc/{server.pid}/task/{server.pid}/children") as file:
            (first,) = map(int, file.read().split())
        os.kill(first, signal.SIGTERM)
        assert server.wait().returncode == 0
        assert '"GET / HTTP/1.1" 200 6' in server.stdout
    finally:
        server.kill()


def test_containers_files_are_named_as_make_wheel_makes_them():
    copied = [line for line in pages.typed(CONTAINERS) if line.startswith("cp ")]
    assert copied == ["cp dist/*.whl hello.py image"]
    assert ".ci/wheel $(PYTHON) $(TARGET) dist" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("number", [0, 1])
def test_flask(python3, home, serve_typed, number):
    page = "docs/deploy/flask.md"
    folder = home(page)
    env = {"PYTHONPATH": str(python3.library("flask==3.1.2"))}
    server = serve_typed(page, number, folder, env=env)
    assert server.get("/").body == b"Hello from http://test/\n"
    assert server.get("/numbers").body == b"0\n1\n2\n"
    assert server.get("/source").body == (folder / "hello.py").read_bytes()
    body = (
        b"--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n12345\r\n--x--\r\n"
    )
    head = "POST /upload HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
    head += f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {len(body)}\r\n\r\n"
    assert server.request(head.encode() + body).body == b"5 bytes\n"


def test_websocket(python3, home, serve_typed):
    page = "docs/deploy/websocket.md"
    folder = home(page)
    env = {"PYTHONPATH": str(python3.library(*FLASK_WITH_SOCKETS))}
    echo = serve_typed(page, 0, folder, env=env)
    client = WebSocket(echo.connect(), "/echo")
    client.send("one")
    assert client.receive() == "one"
    assert echo.get("/").body == b"Hello\n"
    client.close()
    rooms = serve_typed(page, 1, folder, env=env)
    assert rooms.get("/").body == b"Hello\n"
    client = WebSocket(rooms.connect(), "/socket.io/?EIO=4&transport=websocket")
    assert client.receive().startswith('0{"sid":')
    client.send("40")
    assert client.receive().startswith('40{"sid":')
    client.send('42["say","hello"]')
    assert client.receive() == '42["said","hello"]'
    client.client.close()


GUNICORN = "docs/deploy/gunicorn.md"


@pytest.mark.parametrize("number", [0, 1])
def test_gunicorn_words(home, serve_typed, number):
    folder = home(GUNICORN)
    server = serve_typed(GUNICORN, number, folder)
    assert server.get("/").body == b"Hello\n"
    server.wait_for_output('"GET / HTTP/1.1" 200 6')
    if number == 1:
        server.wait_for_output("] [INFO] worker ", "stderr")
    assert "WARNING" not in server.stderr, server.stderr


def test_gunicorn_certfile(home, python3, start_process):
    folder = home(GUNICORN)
    command = [python3.python, "-m", "fapws", "--certfile", "a.pem", "hello:app"]
    outcome = start_process(Process, command, cwd=folder).wait()
    assert outcome.returncode == 2 and "certfile" in outcome.stderr


def test_gunicorn_as_master(home, python3, start_process):
    folder = home(GUNICORN)
    (words,) = [line.split() for line in pages.typed(GUNICORN) if "-k" in line]
    port = free_port()
    words[words.index("127.0.0.1:8000")] = f"127.0.0.1:{port}"
    env = {"PYTHONPATH": str(python3.library("gunicorn"))}
    command = [python3.python, "-m", *words]
    server = start_process(Typed, command, port, cwd=folder, env=env)
    assert server.get("/").header("Server").startswith("fapws")


DJANGO = "docs/deploy/django.md"


@pytest.fixture
def project(python3, home):
    """A new project in the page's folder, and what it needs."""
    folder = home(DJANGO)
    env = {"PYTHONPATH": str(python3.library("django"))}
    startproject = pages.typed(DJANGO)[0].split()
    assert startproject[0] == "django-admin"
    words = ["-m", "django", *startproject[1:]]
    run(python3.python, *words, cwd=folder, env=clean_environment(env))
    return folder, env


def from_localhost(server, target):
    """Django in DEBUG responds to this name only."""
    raw = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    return server.request(raw.encode())


@pytest.mark.parametrize("number, development", [(0, False), (1, True), (2, False)])
def test_django(project, serve_typed, number, development):
    server = serve_typed(DJANGO, number, project[0], env=project[1])
    assert b"The install worked successfully" in from_localhost(server, "/").body
    assert from_localhost(server, "/admin/login/").status == 200
    style = from_localhost(server, "/static/admin/css/base.css")
    assert style.status == (200 if development else 404)


LOGS = "docs/deploy/logs.md"


def test_logs_lines(home, serve_typed):
    folder = home(LOGS)
    (example,) = [each.text for each in pages.fences(LOGS) if "curl/" in each.text]
    server = serve_typed(LOGS, 0, folder)
    server.get("/", "User-Agent: curl/8.5.0")
    log = folder / "access.log"
    (line,) = wait_until(lambda: log.exists() and log.read_text().splitlines(), "the line")
    undated = re.compile(r"\[.*?\]")
    assert undated.sub("", line) == undated.sub("", example.strip())
    moved = log.rename(folder / "access.log.1")
    os.kill(server.pid, signal.SIGUSR1)
    wait_until(log.exists, "the log to be opened anew")
    server.get("/")
    wait_until(log.read_text, "a line in it")
    assert len(moved.read_text().splitlines()) == 1

    other = serve_typed(LOGS, 1, folder)
    other.get("/")
    wait_until(lambda: re.search(r'127\.0\.0\.1 "GET / HTTP/1\.1" 200 \d+ms', other.stdout), "it")


def test_logs_atoms(python3):
    cells = [cell for row in pages.rows(LOGS) for cell in (row[0], row[2])]
    atoms = set(re.findall(r"`([^`]+)`", " ".join(cells)))
    pattern = " ".join(f"%({atom})s" for atom in atoms)
    check = f"__import__('fapws.contrib.accesslog').contrib.accesslog.check({pattern!r})"
    assert python3.evaluate(check) == "None"
    source = "__import__('fapws.contrib.accesslog').contrib.accesslog._Entry.KNOWN"
    known = set(ast.literal_eval(python3.evaluate(f"sorted({source})")))
    assert known == {atom for atom in atoms if "{" not in atom}
    core = (ROOT / "src/access_log/format.rs").read_text().partition("fn key_of")[0]
    arms = re.findall(r"^ +(b\"\w+\"(?: \| b\"\w+\")*) => Atom::", core, re.M)
    assert set(re.findall(r'b"(\w+)"', " ".join(arms))) == known


def test_logs_rotation(tmp_path):
    logrotate = program("logrotate", packaged=False)
    (tmp_path / "hello").write_text(pages.files(LOGS)["hello"])
    run(logrotate, "--debug", "--state", tmp_path / "state", tmp_path / "hello")


METRICS = "docs/deploy/metrics.md"


def test_metrics(home, serve_typed):
    server = serve_typed(METRICS, 0, home(METRICS))
    path = "/" + pages.typed(METRICS)[1].partition(":8000/")[2]
    text = server.get(path).body.decode()
    # Each worker's own have the same names behind `fapws_worker_`.
    shown = set(re.findall(r"^# TYPE (fapws_(?!worker_(?!restarts))\w+)", text, re.M))
    named = set()
    for row in pages.rows(METRICS):
        names = re.findall(r"`(\w+)`", row[0])
        if "…" in row[0]:
            names = [f"fapws_responses_{n}xx_total" for n in range(1, 6)]
        named.update(names)
    assert named == shown
    (metrics_path,) = re.findall(r"metrics_path: (\S+)", pages.files(METRICS)["prometheus.yml"])
    assert metrics_path == path
    assert server.get("/").body == b"Hello\n"

"""Under systemd: sockets handed over, states told, signs of life."""

import signal
import socket
import subprocess

import pytest
from command import log_lines, write
from support.client import Client
from support.process import clean_environment, wait_until

pytestmark = pytest.mark.wire


class Supervisor:
    """What systemd is to a service: the socket of NOTIFY_SOCKET, and what arrived there."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)
        self.states = []

    def heard(self, state):
        """Whether a message with this line has arrived."""
        while True:
            try:
                self.states += self.socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return state in self.states

    def wait_for(self, state):
        """Wait for a line, and forget it and all before it; what came after it still counts."""
        wait_until(lambda: self.heard(state), state)
        del self.states[: self.states.index(state) + 1]


@pytest.fixture(params=["path", "abstract"])
def supervisor(request, tmp_path):
    """A Supervisor, and what NOTIFY_SOCKET says of it."""
    name = str(tmp_path / "notify")
    address = "\0" + name if request.param == "abstract" else name
    supervisor = Supervisor(address)
    supervisor.variable = address.replace("\0", "@")
    yield supervisor
    supervisor.socket.close()


def test_the_states_of_a_life(run_command, supervisor, home):
    env = {"NOTIFY_SOCKET": supervisor.variable}
    command = run_command("hello:app", "--workers", 2, env=env)
    supervisor.wait_for("READY=1")
    supervisor.wait_for(f"MAINPID={command.pid}")
    command.send_signal(signal.SIGHUP)
    supervisor.wait_for("RELOADING=1")
    supervisor.wait_for("READY=1")
    write(home, hello="def (")
    command.send_signal(signal.SIGHUP)
    supervisor.wait_for("STATUS=The last reload failed; the old workers continue")
    command.stop().check()
    assert supervisor.heard("STOPPING=1")
    assert not supervisor.heard("WATCHDOG=1")


def test_the_watchdog(run_command, supervisor):
    env = {"NOTIFY_SOCKET": supervisor.variable, "WATCHDOG_USEC": "200000"}
    run_command("hello:app", env=env)
    for _ in range(3):
        supervisor.wait_for("WATCHDOG=1")


def test_a_supervisor_that_is_gone_is_no_trouble(run_command, tmp_path):
    env = {"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "200000"}
    assert run_command("hello:app", env=env).get("/").status == 200


#: Does what systemd does between fork and exec, then becomes the command. Python 2 reads it too.
ACTIVATE = """
    import os, sys
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.dup2(int(sys.argv[1]), 3)
    try:
        os.set_inheritable(3, True)
    except AttributeError:
        pass
    os.execv(sys.executable, [sys.executable, "-m", "fapws", "environment:app"] + sys.argv[2:])
"""

ENVIRONMENT = """
    import os

    def app(environ, start_response):
        start_response("200 OK", [])
        left = [name for name in os.environ if name.startswith(("LISTEN_", "NOTIFY_"))]
        return [repr((left, environ["SERVER_NAME"], environ["SERVER_PORT"])).encode("ascii")]
"""


@pytest.mark.parametrize("arguments", [[], ["--bind", "fd://3"]], ids=["activation", "fd"])
def test_a_socket_handed_over(interpreter, tmp_path, home, arguments):
    write(home, environment=ENVIRONMENT, activate=ACTIVATE)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        env = clean_environment({"LISTEN_FDS": "1"})
        command = [interpreter.python, "activate.py", str(listener.fileno()), *arguments]
        with open(tmp_path / "said", "wb") as said:
            process = subprocess.Popen(
                command, cwd=home, env=env, pass_fds=[listener.fileno()], stdout=said, stderr=said
            )
        try:
            # It waits in the queue of the socket until there is a server.
            with Client(listener.getsockname()) as client:
                client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                port = listener.getsockname()[1]
                assert client.response().body == f"([], '127.0.0.1', '{port}')".encode()
            process.terminate()
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()
    said = log_lines((tmp_path / "said").read_text())
    text = f"serving environment:app on http://127.0.0.1:{port}"
    assert said in ([], [(process.pid, "INFO", text)])

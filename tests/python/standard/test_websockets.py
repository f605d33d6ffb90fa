"""WebSockets by the libraries that look for `werkzeug.socket`: Flask-Sock and Flask-SocketIO."""

import contextlib
import json
import pathlib
import shutil
import subprocess

import pytest
from samples.browser import Page
from standard.message import post, request
from standard.probe import Probe
from support import ROOT, unavailable
from support.environment import exclusive
from support.process import wait_until
from support.websocket import FLASK_WITH_SOCKETS, TEXT, WebSocket, frame

pytestmark = pytest.mark.each_major

CLIENT = "socket.io-client@4.8.1"

TRANSPORTS = ["polling", "websocket"]


@pytest.fixture
def site(interpreter, start_process):
    """`site(threads, **env)`: the application, served."""
    if interpreter.version[0] < 3:
        pytest.skip("the libraries are of Python 3")
    library = interpreter.library(*FLASK_WITH_SOCKETS)

    def start(threads, **env):
        env["PYTHONPATH"] = str(library)
        config = {"threads": threads}
        return start_process(Probe, interpreter, "websockets.py", config=config, env=env)

    return start


def hello(site):
    return site.request(request("/")).body


def test_an_echo(site):
    site = site(2)
    client = WebSocket(site.connect(), "/echo")
    for text in ["one", "zw\u00f6lf", "x" * 100]:
        client.send(text)
        assert client.receive() == text
        assert hello(site) == b"hello"
    client.close()
    assert hello(site) == b"hello"


def test_a_message_in_the_packet_of_the_handshake(site):
    site = site(2)
    client = WebSocket(site.connect(), "/echo", behind=frame(TEXT, b"early"))
    assert client.receive() == "early"
    client.close()


def test_with_one_thread(site):
    site = site(1)
    for _ in range(2):
        client = WebSocket(site.connect(), "/echo")
        client.send("one")
        assert client.receive() == "one"
        client.close()
        assert hello(site) == b"hello"


def test_a_hundred_beside_hello(site):
    site = site(101)
    before = site.descriptors
    clients = []
    for number in range(100):
        clients.append(WebSocket(site.connect(), "/echo"))
        assert hello(site) == b"hello", number
    for number, client in enumerate(clients):
        client.send(str(number))
    for number, client in enumerate(clients):
        assert client.receive() == str(number)
    assert hello(site) == b"hello"
    for client in clients:
        client.close()
    wait_until(lambda: site.descriptors <= before + 3, "the descriptors to be closed")
    assert hello(site) == b"hello"


def test_the_end_of_the_server(site):
    """Threads of the library's own wait for the client; they do not hold the process."""
    site = site(3)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(site.connect()) for _ in range(2)]
        sockets = [WebSocket(client, "/echo") for client in clients]
        site.send_signal(15)
        for each in sockets:
            each.send("still here")
            assert each.receive() == "still here"
            each.close()
    site.wait().check()


@pytest.fixture(scope="session")
def client_script():
    """The browser's client of Socket.IO, from npm."""
    npm = shutil.which("npm") or unavailable("no npm on this machine: Socket.IO has no client")
    folder = ROOT / "build" / "tests" / "npm"
    script = folder / "node_modules/socket.io-client/dist/socket.io.min.js"
    with exclusive("npm"):
        if not script.exists():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "package.json").write_text(json.dumps({"private": True}))
            made = subprocess.run(
                [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", CLIENT],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            assert made.returncode == 0, made.stdout
    return pathlib.Path(script)


@pytest.mark.quiet  # a browser beside three test processes has timed out
def test_socketio_in_a_browser(site, client_script):
    site = site(16, SOCKETIO_CLIENT=str(client_script))
    url = "http://127.0.0.1:%d/page/" % site.address[1]
    with Page(url + "websocket") as page:
        assert page.text("#heard", str) == "you said: from websocket"
    with Page(url + "polling") as page:
        assert page.text("#heard", str) == "you said: from polling"
    assert hello(site) == b"hello"


@pytest.mark.quiet
def test_socketio_is_upgraded_in_a_browser(site, client_script):
    """The browser decides whether the first message goes before the upgrade or behind it."""
    site = site(16, SOCKETIO_CLIENT=str(client_script))
    with Page("http://127.0.0.1:%d/page/polling+websocket" % site.address[1]) as page:
        assert page.text("#transport", str) == "upgraded to websocket"
        assert page.text("#heard", str) in [f"you said: from {way}" for way in TRANSPORTS]
    assert hello(site) == b"hello"


class Polling:
    """A client of Engine.IO that polls: packets go as POST, and come as responses to GET."""

    def __init__(self, site):
        self._sender, self._receiver = site.connect(), site.connect()
        self.target = "/socket.io/?EIO=4&transport=polling"
        self.ask()
        (opened,) = self.packets()
        assert opened.startswith("0"), opened
        opened = json.loads(opened[1:])
        assert opened["upgrades"] == ["websocket"]
        self.session = opened["sid"]
        self.target += "&sid=" + self.session

    def send(self, packet):
        self._sender.send(post(self.target, packet.encode()))
        assert self._sender.response().body == b"OK"

    def ask(self):
        """A poll, which waits in the server until there is a packet."""
        self._receiver.send(request(self.target))

    def packets(self):
        """What comes of the poll."""
        return self._receiver.response().body.decode().split("\x1e")

    def upgrade(self, site):
        """The WebSocket that is to take over, once the server has said that it works."""
        target = f"/socket.io/?EIO=4&transport=websocket&sid={self.session}"
        upgraded = WebSocket(site.connect(), target)
        upgraded.send("2probe")
        assert upgraded.receive() == "3probe"
        return upgraded


@pytest.mark.parametrize("threads", [4, 16])
def test_a_poll_that_waits_while_socketio_is_upgraded(site, threads):
    """The poll ends with a packet that says nothing, and the WebSocket goes on with the session."""
    site = site(threads, SOCKETIO_PING="600")
    client = Polling(site)
    client.send("40")
    client.ask()
    (connected,) = client.packets()
    assert connected.startswith("40"), connected
    client.ask()
    assert hello(site) == b"hello"
    upgraded = client.upgrade(site)
    assert client.packets()[-1] == "6"
    upgraded.send("5")
    upgraded.send('42["say","one"]')
    assert upgraded.receive() == '42["said","you said: one"]'
    upgraded.send("1")
    assert hello(site) == b"hello"


def test_socketio_is_upgraded_before_the_namespace_is_connected(site):
    """What is sent by POST meanwhile has its reply on the WebSocket."""
    site = site(4, SOCKETIO_PING="600")
    client = Polling(site)
    upgraded = client.upgrade(site)
    client.send("40")
    client.ask()
    assert client.packets() == ["6"]
    upgraded.send("5")
    # The library queues the packet that says nothing once its reply to the probe is sent.
    connected, nothing = sorted(upgraded.receive() for _ in range(2))
    assert connected.startswith("40") and nothing == "6", (connected, nothing)
    upgraded.send('42["say","one"]')
    assert upgraded.receive() == '42["said","you said: one"]'
    upgraded.send("1")
    assert hello(site) == b"hello"

"""The samples behind which something else answers: cgi and proxy."""

import http.server
import socket
import threading

import pytest

pytestmark = pytest.mark.wire


def test_cgi_scripts_answer(run_sample):
    server = run_sample("cgi", "run.py")
    hello = server.get("/hellocgi/some/path?name=value")
    assert (hello.status, hello.header("Content-Type").strip()) == (200, "text/plain")
    assert hello.body.decode().splitlines() == [
        "Hello from a script!",
        "method: GET",
        "path:   /some/path",
        "query:  name=value",
    ]


def test_cgi_scripts_read_the_body_and_choose_the_status(run_sample):
    server = run_sample("cgi", "run.py")
    counted = server.post("/countcgi", b"x" * 200000, "Content-Type: text/plain")
    assert (counted.status, counted.body) == (202, b"counted 200000 of 200000 bytes\n")


class Origin(http.server.BaseHTTPRequestHandler):
    """A server with an answer for each thing a proxy can do wrong."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/big":
            self.answer(200, bytes(range(256)) * 4096)
        elif self.path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"cut")
            self.close_connection = True
        elif self.path == "/path%20kept?a=%26":
            self.answer(200, self.path.encode(), [("Connection", "X-Private"), ("X-Private", "1")])
        else:
            self.answer(404, b"not at the origin")

    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        seen = "\n".join(f"{name.lower()}={value}" for name, value in self.headers.items())
        self.answer(201, seen.encode() + b"\n\n" + body)

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("X-From", "origin")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments):
        """Silent: the test reads answers, not logs."""


@pytest.fixture
def origin():
    """The URL of a server that runs in this process."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield "http://127.0.0.1:%d" % server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_proxy_passes_answers_on(run_sample, origin):
    server = run_sample("proxy", "run.py", arguments=("0", origin))
    kept = server.get("/path%20kept?a=%26")
    assert (kept.status, kept.body) == (200, b"/path%20kept?a=%26")
    assert kept.header("X-From") == "origin"
    assert kept.header("X-Private") is None
    assert server.get("/big").body == bytes(range(256)) * 4096
    assert server.send("HEAD", "/big").header("Content-Length") == "1048576"
    missing = server.get("/absent")
    assert (missing.status, missing.body) == (404, b"not at the origin")


def test_proxy_passes_requests_on(run_sample, origin):
    server = run_sample("proxy", "run.py", arguments=("0", origin))
    spoofed = ["X-Forwarded-For: 10.1.2.3", "Proxy-Authorization: secret", "X-Asked: yes"]
    answer = server.post("/form", b"a=b", "Content-Type: text/strange", *spoofed)
    seen, _, body = answer.body.partition(b"\n\n")
    headers = dict(line.split("=", 1) for line in seen.decode().splitlines())
    assert (answer.status, body) == (201, b"a=b")
    assert headers["content-type"] == "text/strange"
    assert headers["host"] == "localhost"
    assert headers["x-asked"] == "yes"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert "proxy-authorization" not in headers


def test_proxy_tells_when_the_origin_fails(run_sample, origin):
    server = run_sample("proxy", "run.py", arguments=("0", origin))
    assert server.get("/short").status == 502
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    server = run_sample("proxy", "run.py", arguments=("0", f"http://127.0.0.1:{port}"))
    assert server.get("/").status == 502


def test_proxy_gives_up_on_an_origin_that_trickles(run_sample):
    gone = threading.Event()

    def trickle(listener):
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            try:
                while not gone.wait(0.05):
                    connection.sendall(b"x")
            except OSError:
                pass  # the proxy has hung up, as it should

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle, args=[listener])
        thread.start()
        origin = "http://127.0.0.1:%d" % listener.getsockname()[1]
        patches = [("DEADLINE = 10.0", "DEADLINE = 0.5")]
        server = run_sample("proxy", "run.py", arguments=("0", origin), patches=patches)
        try:
            assert server.get("/").status == 502
        finally:
            gone.set()
            thread.join()

"""Flask on the command, behind the real nginx, HAProxy and pound: its URLs are its clients'."""

import os
import textwrap

import pytest
from proxies import Haproxy, Nginx, Pound, find_program
from support.ports import free_port
from support.process import wait_until
from support.server import Listening

SITE = """
    from flask import Flask, jsonify, redirect, request, url_for

    app = Flask(__name__)

    @app.route("/hello")
    def hello():
        return "hello"

    @app.route("/old")
    def old():
        return redirect(url_for("hello", _external=True))

    @app.route("/client")
    def client():
        return jsonify([request.remote_addr, request.host, request.script_root])
"""


class Site(Listening):
    """The command, serving `SITE`."""

    def __init__(self, environment, options, folder):
        home = folder.with_name("site")
        home.mkdir()
        (home / "site_of_flask.py").write_text(textwrap.dedent(SITE))
        self.address = ("127.0.0.1", free_port())
        command = [environment.python, "-m", "fapws", "--bind", f"127.0.0.1:{self.address[1]}"]
        command += ["--access-log", "access.log", *options, "site_of_flask:app"]
        library = environment.library("flask==3.1.2")
        super().__init__(command, folder, {"PYTHONPATH": os.fspath(library)}, cwd=home)
        self.log = home / "access.log"

    def start(self):
        super().start()
        wait_until(self._serves, "Flask to serve")
        return self

    def _serves(self):
        assert self.alive, self._transcript()
        try:
            return self.get("/hello").status == 200
        except OSError:
            return False


@pytest.fixture(params=[Nginx, Haproxy, Pound], ids=lambda kind: kind.program)
def kind(request):
    find_program(request.param.program, request.param.packaged)
    return request.param


def ask(connection, target, **headers):
    """(response, body)"""
    connection.request("GET", target, headers=headers)
    response = connection.getresponse()
    return response, response.read()


def test_a_redirect_leads_to_https(python3, kind, certificate, start_process):
    site = start_process(Site, python3, [])
    proxy = start_process(kind, site.address, certificate)
    for connection, scheme, port in [
        (proxy.connect(), "http", proxy.plain_port),
        (proxy.connect_tls(), "https", proxy.tls_port),
    ]:
        response, _ = ask(connection, "/old")
        assert response.status == 302
        assert response.getheader("Location") == f"{scheme}://localhost:{port}/hello"


def test_who_the_client_is(python3, kind, certificate, start_process):
    site = start_process(Site, python3, ["--proxy-headers", "--root-path", "/site"])
    proxy = start_process(kind, site.address, certificate)
    spoofed = {
        "X-Forwarded-For": "10.9.8.7",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Port": "1",
        "X-Forwarded-Prefix": "/evil",
        "Forwarded": "for=10.9.8.7;host=evil.example",
    }
    for target in "/client", "/site/client":
        _, body = ask(proxy.connect_tls(), target, **spoofed)
        expected = f'["127.0.0.1","localhost:{proxy.tls_port}","/site"]'.encode()
        assert body.strip() == expected
    response, _ = ask(proxy.connect_tls(), "/site/old", **spoofed)
    expected = f"https://localhost:{proxy.tls_port}/site/hello"
    assert response.getheader("Location") == expected

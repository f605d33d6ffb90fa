"""The real nginx, HAProxy and pound, each run on the configuration of its sample.

A configuration is changed in three places only: the two ports of the front, which must be free, and
where Fapws is. Each change replaces a text that must stand in the sample, comments included, so
that what is tested is what the sample says.
"""

import http.client
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess

import pytest
from program import SAMPLES
from support import PATIENCE, ROOT
from support.ports import free_ports
from support.process import Process, wait_until

#: `make pound` brings the last one.
SYSTEM_PATH = os.pathsep.join(
    [os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", str(ROOT / "build/pound/sbin")]
)


class Proxy(Process):
    """A proxy in front of `upstream`: (host, port), or the path of a unix socket.

    `certificate` is a folder that `make_certificate` filled.
    """

    #: The program, and whether Debian has it, so that it must be there where completeness counts.
    program = None
    packaged = True
    #: The sample's files, and how the program is told to use them.
    files = ()
    arguments = ()
    #: Texts of the sample's configuration: the ports, and Fapws on TCP or on a unix socket.
    plain, tls, on_tcp, on_unix = "", "", "", ""

    def __init__(self, upstream, certificate, folder):
        self.upstream = upstream
        self.certificate = certificate
        folder = pathlib.Path(folder)
        super().__init__([find_program(self.program, self.packaged), *self.arguments], folder)

    def start(self):
        """Run the proxy and wait until it takes connections on both ports; returns self."""
        shutil.copytree(self.certificate, self.folder)
        self.plain_port, self.tls_port = free_ports(2, "")
        for name in self.files:
            text = (SAMPLES / self.program / name).read_text()
            (self.folder / name).write_text(self.adapt(text) if name == self.files[0] else text)
        super().start()
        for port in (self.plain_port, self.tls_port):
            wait_until(lambda port=port: not self.alive or accepts(port), f"{self.program}")
        assert self.alive, f"{self.program} did not start\n{self.stdout}\n{self.stderr}"
        return self

    def adapt(self, text):
        """The sample's configuration with this test's addresses."""
        text = replace(text, self.plain, self.plain.replace("8080", str(self.plain_port)))
        text = replace(text, self.tls, self.tls.replace("8443", str(self.tls_port)))
        if isinstance(self.upstream, tuple):
            return replace(text, self.on_tcp, self.on_tcp.replace("8081", str(self.upstream[1])))
        text = replace(text, self.on_tcp, "")
        told = self.on_unix.lstrip("# ").replace("/tmp/fapws-hello.sock", self.upstream)
        return replace(text, self.on_unix, told)

    def connect(self):
        """A connection to the plain port."""
        return http.client.HTTPConnection("localhost", self.plain_port, timeout=PATIENCE)

    def connect_tls(self):
        """A connection to the other port, whose certificate is checked."""
        trust = ssl.create_default_context(cafile=self.folder / "cert.pem")
        port = self.tls_port
        return http.client.HTTPSConnection("localhost", port, timeout=PATIENCE, context=trust)


class Nginx(Proxy):
    program = "nginx"
    files = ("fapws.conf", "nginx.conf")
    arguments = ("-p", ".", "-c", "nginx.conf", "-e", "stderr")
    plain = "listen 8080;"
    tls = "listen 8443 ssl;"
    on_tcp = "server 127.0.0.1:8081;"
    on_unix = "# server unix:/tmp/fapws-hello.sock;"

    def __init__(self, upstream, certificate, folder):
        super().__init__(upstream, certificate, folder)
        if os.geteuid() == 0:
            # nginx would give up being root, and then not get at the test's socket.
            self.command += ["-g", "user root;"]


class Haproxy(Proxy):
    program = "haproxy"
    files = ("haproxy.cfg",)
    arguments = ("-f", "haproxy.cfg")
    plain = "bind :8080"
    tls = "bind :8443"
    on_tcp = "server one 127.0.0.1:8081"
    on_unix = "# server one unix@/tmp/fapws-hello.sock"

    def stop(self, number=signal.SIGUSR1):
        """SIGTERM would end it with that signal's code; this one ends it in order."""
        return super().stop(number)


class Pound(Proxy):
    program = "pound"
    packaged = False
    files = ("pound.cfg",)
    arguments = ("-F", "-Wno-include-dir", "-f", "pound.cfg", "-p", "pound.pid")
    plain = "Port 8080"
    tls = "Port 8443"
    on_tcp = "Address 127.0.0.1\n        Port 8081\n"
    on_unix = "# Address /tmp/fapws-hello.sock"


def find_program(name, packaged):
    """The path of a program; skips the test without it, or fails where completeness counts."""
    path = shutil.which(name, path=SYSTEM_PATH)
    if path is None and packaged and os.environ.get("CI"):
        pytest.fail(f"CI is set, but there is no {name} on this machine")
    return path or pytest.skip(f"no {name} on this machine: what needs it is not tested")


def make_certificate(folder):
    """Make the files that the samples' first lines make, with the command that stands there.

    Returns the folder.
    """
    make = [find_program("openssl", packaged=True), "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
    subject = ["-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    output = ["-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run([*make, *subject, *output], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    certificate, key = ((folder / name).read_text() for name in ("cert.pem", "key.pem"))
    (folder / "site.pem").write_text(certificate + key)
    return folder


def replace(text, old, new):
    """`text` with `old`, which stands in it once, replaced."""
    assert text.count(old) == 1, f"the sample has {text.count(old)} times {old!r}"
    return text.replace(old, new)


def accepts(port):
    """Whether something listens on this port."""
    try:
        socket.create_connection(("localhost", port), timeout=PATIENCE).close()
    except OSError:
        return False
    return True

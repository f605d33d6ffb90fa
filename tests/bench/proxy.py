"""nginx before a server, as most deployments have it: connections to the server are kept.

One nginx with one worker for each server, on the clients' core, so that it is no part of what the
server is charged. Its files lie in a folder of the caller's.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import time

import load
import servers

#: Connections to the server that nginx keeps open between requests: all of the clients'.
KEPT = 64
CONFIGURATION = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 100000000;
    upstream application {{
        server {upstream};
        keepalive {kept};
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://application;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
    }}
}}
"""


def available():
    """Whether nginx is installed."""
    return _program() is not None


def _program():
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


class Proxy:
    """One nginx before a running server; `port` is where clients connect."""

    def __init__(self, server, folder):
        self.port = servers.free_port()
        self._folder = pathlib.Path(folder)
        upstream = f"127.0.0.1:{server.address}"
        if not server.address.isdigit():
            upstream = f"unix:{server.address}"
        self._configuration = CONFIGURATION.format(
            user="user root;" if os.geteuid() == 0 else "",
            folder=self._folder,
            upstream=upstream,
            kept=KEPT,
            port=self.port,
        )
        self._popen = None

    def start(self):
        """Run it and wait until it listens; raises `servers.StartError`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / "nginx.conf"
        file.write_text(self._configuration)
        log = self._folder / "error.log"
        self._popen = subprocess.Popen(
            [_program(), "-c", file, "-p", self._folder, "-e", log],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: load.confine(load.CLIENT_CORE),
        )
        deadline = time.monotonic() + servers.START_PATIENCE
        while not servers.listens(str(self.port)):
            if self._popen.poll() is not None or time.monotonic() > deadline:
                self.stop()
                lines = log.read_text().splitlines() if log.exists() else []
                raise servers.StartError(f"nginx: {lines[-1:]}")
            time.sleep(0.02)
        return self

    def stop(self):
        """End it with its worker."""
        if self._popen and self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)
            try:
                self._popen.wait(servers.STOP_PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(self._popen.pid, signal.SIGKILL)
                self._popen.wait()

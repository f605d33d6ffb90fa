"""A real browser, headless, asked what a page looks like once it is loaded."""

import json
import os
import select
import shutil
import subprocess
import tempfile
import time

from support import PATIENCE, unavailable
from support.process import wait_until

NAMES = ["chromium", "chromium-browser", "google-chrome"]

#: Nothing but the page is to be fetched, and no state kept.
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def document(url):
    """The HTML of the page at `url` as the browser holds it, after its pictures are loaded.

    Skips the test where there is no Chromium; in CI it fails.
    """
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        unavailable("no Chromium on this machine: the page is not looked at in a browser")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        answer = subprocess.run(
            [program, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", url],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # No desktop's settings either.
            env={"PATH": os.environ["PATH"], "HOME": profile, "LANG": "C.UTF-8"},
            timeout=PATIENCE,
            check=False,
        )
    assert answer.returncode == 0, answer.stderr.decode("utf-8", "replace")
    return answer.stdout.decode("utf-8")


class Page:
    """The page at `url` in a browser that goes on, asked and driven by the debugger's protocol.

    As a context manager it ends the browser. Skips the test where there is no Chromium.
    """

    def __init__(self, url):
        program = next(filter(None, map(shutil.which, NAMES)), None)
        if program is None:
            unavailable("no Chromium on this machine: the page is not looked at in a browser")
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        home = self._profile.name
        theirs, self._requests = os.pipe()
        self._replies, ours = os.pipe()
        # The protocol is spoken on the descriptors 3 and 4.
        redirected = f'exec "$@" 3<&{theirs} 4>&{ours}'
        command = [program, *FLAGS, f"--user-data-dir={home}", "--remote-debugging-pipe"]
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", redirected, "bash", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": home, "LANG": "C.UTF-8"},
            pass_fds=[theirs, ours],
        )
        os.close(theirs)
        os.close(ours)
        self._read, self._count, self._session = b"", 0, None
        target = self._ask("Target.createTarget", url=url)["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._requests)
        os.close(self._replies)
        self._profile.cleanup()

    def evaluate(self, expression):
        """What a JavaScript expression is in the page, as JSON has it."""
        answer = self._ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def text(self, selector, wanted):
        """The text of the first element of this selector, as soon as `wanted` holds of it."""
        found = f"(document.querySelector({json.dumps(selector)}) || {{}}).innerText || ''"

        def seen():
            text = self.evaluate(found).strip()
            return text if text and wanted(text) else None

        return wait_until(seen, f"the text of {selector}")

    def _ask(self, method, **parameters):
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._requests, json.dumps(message).encode() + b"\0")
        while True:
            reply = self._receive()
            if reply.get("id") == self._count:
                assert "result" in reply, reply
                return reply["result"]

    def _receive(self):
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._read:
            left = max(0, deadline - time.monotonic())
            ready, _, _ = select.select([self._replies], [], [], left)
            data = os.read(self._replies, 1 << 16) if ready else b""
            assert data, "the browser does not reply"
            self._read += data
        message, _, self._read = self._read.partition(b"\0")
        return json.loads(message)

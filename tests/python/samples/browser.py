"""A real browser, headless, asked what a page looks like once it is loaded."""

import os
import shutil
import subprocess
import tempfile

from support import PATIENCE, unavailable

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

"""What a server weighs before its first request: resident memory, and its extension's import."""

import subprocess
from statistics import median

import accounts
import load
import servers
from support.process import clean_environment

IMPORTS = 11
TIMED_IMPORT = """
import time
begun = time.perf_counter()
import {module}
print(time.perf_counter() - begun)
"""


def resident_mb(server):
    """Megabytes of a server that has just begun to listen."""
    return accounts.resident_kib(server.session) / 1024


def import_ms(site, module):
    """Milliseconds to import the extension in a new interpreter; the median, None if it fails."""
    times = []
    for _ in range(IMPORTS):
        answer = subprocess.run(
            [site.python, "-c", TIMED_IMPORT.format(module=module)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
            # Not a folder with a package of that name.
            cwd=servers.APPS,
            env=clean_environment({"PYTHONPATH": site.path, "PYTHONDONTWRITEBYTECODE": ""}),
            start_new_session=True,
            preexec_fn=lambda: load.confine(load.SERVER_CORE),
        )
        if answer.returncode:
            return None
        times.append(float(answer.stdout) * 1e3)
    return median(times)

"""What a server weighs after its first response: memory, and its extension's import."""

import subprocess
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Weight:
    """Megabytes of all processes: resident, and with shared pages divided among their users."""

    resident: float
    proportional: float


def weigh(server):
    """The `Weight` of a server that has just begun to serve."""
    session = server.session
    return Weight(accounts.resident_kib(session) / 1024, accounts.proportional_kib(session) / 1024)


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

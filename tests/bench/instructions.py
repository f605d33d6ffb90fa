"""How many instructions a request costs: a number that another machine's speed does not change.

    python tests/bench/instructions.py [--python PYTHON] [--functions 25] [SCENARIO ...]

The server runs under callgrind and responds to one client, one request after another. callgrind
writes down its counts, and begins anew, after the first requests and after the last (`vgdb` has it
do so), so that start and end fall out: what is reported is what one more request costs, in user
space, in all and by shared object. `per_request` is what a test calls.

The kernel's work is not seen here, and neither is what a cache miss costs: timing is `run.py`'s.
"""

import argparse
import collections
import dataclasses
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "python"))


import install
import scenarios
import servers
from support.client import Client
from support.process import clean_environment

#: Requests before those that are counted: then caches are full, and dictionaries do not grow.
FIRST = 200
COUNTED = 500
#: Seconds that a server under valgrind may take to listen, and to write its profile.
PATIENCE = 120
CORE = re.compile(r"/_evwsgi[^/]*$")

#: A browser's headers on a new connection each: nothing is remembered of an earlier head.
_BROWSER = scenarios.BY_NAME["browser"]
COLD = dataclasses.replace(
    _BROWSER,
    name="cold",
    request=scenarios.request(headers={**scenarios.BROWSER_HEADERS, "Connection": "close"}),
    keeps=False,
)
SCENARIOS = {**scenarios.BY_NAME, COLD.name: COLD}


class ProfileError(Exception):
    """The server under callgrind did not run to its end."""


@dataclasses.dataclass(frozen=True)
class Cost:
    """Instructions of one request: in all, in our shared object, and by (object, function)."""

    total: float
    core: float
    functions: dict

    def objects(self):
        """Instructions by shared object, the costliest first."""
        sums = collections.Counter()
        for (where, _), count in self.functions.items():
            sums[where] += count
        return sums.most_common()


def per_request(site, server, scenario):
    """The `Cost` of one more request of the scenario to `server`, installed at `site`."""
    profile = _profile(site, server, scenario)
    functions = {place: count / COUNTED for place, count in by_function(profile).items()}
    core = sum(count for (where, _), count in functions.items() if CORE.search(where))
    return Cost(sum(functions.values()), core, functions)


def _profile(site, server, scenario):
    """callgrind's profile of the requests that are counted, as text."""
    with tempfile.TemporaryDirectory() as folder:
        profiles = pathlib.Path(folder, "callgrind.out")
        tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profiles}"]
        tool += ["--compress-strings=no", "--compress-pos=no"]
        printed = _serve(tool, site, server, scenario, folder)
        # The first has what came before, the one without a number what came behind.
        counted = profiles.with_suffix(".out.2")
        if not counted.exists() or not counted.stat().st_size:
            raise ProfileError(printed)
        return counted.read_text()


def _serve(tool, site, server, scenario, folder):
    """Serve the scenario under `tool`, the first words of a command; what was printed."""
    port = servers.free_port()
    lines = str(pathlib.Path(folder, "access.log")) if scenario.logged else ""
    launch = servers.Launch(site.python, scenario.app, str(port), log=lines, prefix=scenario.prefix)
    command = [*tool, *server.command(launch)]
    # The same hashes in every run; no allocator that valgrind would have to follow.
    variables = {"PYTHONHASHSEED": "0", **install.variables(site)}
    with open(pathlib.Path(folder, "log"), "w+b") as log:
        process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=clean_environment(variables),
            cwd=servers.APPS,
            start_new_session=True,
        )
        try:
            _await(lambda: servers.listens(str(port)) or process.poll() is not None)
            if process.poll() is None:
                _ask(port, scenario, process.pid)
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        log.seek(0)
        return log.read().decode(errors="replace")[-2000:]


def _ask(port, scenario, pid):
    """Send the first requests and those that are counted; callgrind writes a profile of each."""
    client = None
    for number in range(1, FIRST + COUNTED + 1):
        client = client or Client(("127.0.0.1", port), patience=PATIENCE)
        client.send(scenario.request)
        response = client.response()
        if response.body != scenario.expected:
            raise ProfileError(f"a wrong response: {response.status} {response.body[:100]!r}")
        if not scenario.keeps:
            client.close()
            client = None
        if number in (FIRST, FIRST + COUNTED):
            _write_profile(pid)
    if client:
        client.close()


def _write_profile(pid):
    """Have the callgrind of this process write its counts, and begin anew."""
    command = ["vgdb", f"--pid={pid}", "dump"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if answer.returncode != 0:
        raise ProfileError(answer.stdout + answer.stderr)


def by_function(profile):
    """Self cost by (object, function) of a callgrind profile's text.

    `ob=` and `fn=` name where the following cost lines, `position cost`, belong; `calls=` makes the
    one after it the callee's, which is counted there already. A cost of 0 is left out.
    """
    costs = collections.Counter()
    where, function, callee = "", "", False
    for line in profile.splitlines():
        if line.startswith("ob="):
            where = line[3:]
        elif line.startswith("fn="):
            function = line[3:]
        elif line.startswith("calls="):
            callee = True
        elif line[:1].isdigit():
            _, *cost = line.split()
            if cost and not callee:
                costs[where, function] += int(cost[0])
            callee = False
    return costs


def _await(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise ProfileError(f"not listening after {PATIENCE} s")
        time.sleep(0.2)


def main():
    """Print the cost of each scenario."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    known = ", ".join(SCENARIOS)
    default = ["hello", "browser", "cold", "post"]
    parser.add_argument("scenarios", nargs="*", default=default, help=f"of: {known}")
    parser.add_argument("--server", default=servers.OURS.name, help="any that serve.py starts")
    parser.add_argument("--python", help="the Python to serve with (default: this one)")
    parser.add_argument("--functions", type=int, default=15, help="how many of the costliest")
    arguments = parser.parse_args()
    if not shutil.which("valgrind"):
        sys.exit("valgrind is missing: on Debian and Ubuntu, apt-get install valgrind")
    installation = install.Installation(arguments.python)
    server = servers.BY_NAME[arguments.server]
    for name in arguments.scenarios:
        cost = per_request(installation.site(server), server, SCENARIOS[name])
        print(f"{name}: {cost.total:,.0f} instructions a request, {cost.core:,.0f} in _evwsgi")
        for where, count in cost.objects()[:5]:
            print(f"  {count:10,.0f}  {pathlib.Path(where).name or where}")
        costliest = sorted(cost.functions.items(), key=lambda item: -item[1])
        for (where, function), count in costliest[: arguments.functions]:
            print(f"    {count:8,.1f}  {function}  [{pathlib.Path(where).name}]")


if __name__ == "__main__":
    main()

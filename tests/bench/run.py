"""The benchmark: Fapws, its peers and the limit of one core, measured side by side.

    make bench                                  every server in every scenario, some ten minutes
    python tests/bench/run.py --targets         the marks Fapws is to reach, each met or not
    python tests/bench/run.py --scenarios hello,close --servers fapws,bjoern,epoll --rounds 9

It runs on the Python of the test suite's driver (`make test` or `make bench` makes it), needs wrk,
a C compiler, libev's headers and two cores: the servers have the first, wrk the second. Servers of
a scenario all run at once, idle but for the one under load, and take turns in short rounds, so that
whatever else the machine does meets them all; what is told are medians. README.md in this folder
says how to read the numbers.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import sys

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "python"))

import accounts
import answers
import cliffs
import idle
import install
import load
import report
import scenarios
import servers
import targets
import weight
from results import Results

#: What is measured without a row in the scenario table.
SPECIAL = ["idle", "weight", "cliffs"]
NOISY = 0.1


def main():
    """Measure what was asked for, print it and keep it."""
    arguments = _arguments()
    _require_machine()
    idle.allow_descriptors()
    plan = _plan(arguments)
    try:
        installation = install.Installation(arguments.python, arguments.ours, arguments.reinstall)
    except install.Missing as reason:
        sys.exit(str(reason))
    results = Results()
    chosen = {name for names in plan.values() for name in names}
    for server in servers.SERVERS:
        if server.name in chosen:
            _have(installation, server, results)
    print(_heading(installation, results), flush=True)
    for name, names in plan.items():
        here = [servers.BY_NAME[each] for each in names if each not in results.missing]
        bench = Bench(installation, here, arguments, results)
        print("\n" + bench.run(name), flush=True)
    if arguments.targets:
        print("\n" + report.targets(targets.verdicts(results)))
    if results.disturbed() > NOISY:
        print(f"\nOthers used {results.disturbed():.0%} of the server's core: read with care.")
    path = pathlib.Path(arguments.json or install.FOLDER / "results.json")
    path.write_text(json.dumps(_record(arguments, installation, results), indent=1) + "\n")
    print(f"\nevery sample: {path}")


class Bench:
    """One line of the plan: its servers are started, measured and ended."""

    def __init__(self, installation, chosen, arguments, results):
        self._installation = installation
        self._chosen = chosen
        self._rounds = arguments.rounds
        self._seconds = arguments.seconds
        self._reference = arguments.reference
        self._results = results

    def run(self, name):
        """Measure the scenario or special of this name; returns its table."""
        if name == "idle":
            return self._idle()
        if name == "weight":
            return self._weight()
        if name == "cliffs":
            return self._cliffs()
        return self._scenario(scenarios.BY_NAME[name])

    def _scenario(self, scenario):
        request_file = _request_file(scenario)
        running = self._started(scenario)
        try:
            for name in list(running):
                self._verified(running, name, scenario)
            for number in range(self._rounds):
                for name in _rotated(list(running), number):
                    self._measured(running, name, scenario, request_file)
            for name, process in running.items():
                self._results.peaks[scenario.name, name] = accounts.peak_kib(process.session)
        finally:
            _stop(running)
        return report.scenario(self._results, scenario, self._reference)

    def _verified(self, running, name, scenario):
        process = running[name]
        try:
            answers.check(process, scenario)
        except answers.WrongAnswer as failure:
            self._drop(running, name, scenario.name, failure)
            return
        if scenario.streams and process.server is not servers.LIMIT:
            self._results.streams[name] = answers.sends_each_chunk(process)

    def _measured(self, running, name, scenario, request_file):
        try:
            sample = load.measure(running[name], scenario, self._seconds, request_file)
        except load.LoadError as failure:
            self._drop(running, name, scenario.name, failure)
            return
        self._results.samples.setdefault((scenario.name, name), []).append(sample)

    def _drop(self, running, name, scenario, failure):
        dead = "" if running[name].alive else " (it ended)"
        self._results.refused[scenario, name] = f"{failure}{dead}"
        self._results.samples.pop((scenario, name), None)
        running.pop(name).stop()

    def _started(self, scenario, app=None):
        running = {}
        for server in self._chosen:
            try:
                process = self._installation.process(server, scenario, app)
                running[server.name] = process.start()
            except servers.StartError as failure:
                self._results.refused[scenario.name, server.name] = f"does not start: {failure}"
        return running

    def _idle(self):
        hello = scenarios.BY_NAME["hello"]
        request_file = _request_file(hello)
        # A round is two loads and all the connections: half as many keep a whole run short.
        rounds = max(1, self._rounds // 2)
        for server in self._chosen:
            process = self._installation.process(server, hello)
            try:
                process.start()
                measured = idle.measure(process, hello, rounds, self._seconds, request_file)
                self._results.idle[server.name] = measured
            except (OSError, load.LoadError, servers.StartError) as failure:
                self._results.refused["idle", server.name] = str(failure)
            finally:
                process.stop()
        return report.idle(self._results)

    def _weight(self):
        hello = scenarios.BY_NAME["hello"]
        for server in self._chosen:
            running = {}
            try:
                running[server.name] = process = self._installation.process(server, hello).start()
                self._results.resident[server.name] = weight.resident_mb(process)
            except servers.StartError as failure:
                self._results.refused["weight", server.name] = str(failure)
            finally:
                _stop(running)
            if server.extension:
                site = self._installation.site(server)
                self._results.imports[server.name] = weight.import_ms(site, server.extension)
        return report.weight(self._results)

    def _cliffs(self):
        running = self._started(scenarios.BY_NAME["hello"], "plain:probes")
        try:
            for name, process in running.items():
                self._results.cliffs[name] = cliffs.probe(process)
        finally:
            _stop(running)
        return report.cliffs(self._results)


def _plan(arguments):
    """Scenario name -> names of the servers to measure in it, in the table's order."""
    every = [*scenarios.BY_NAME, *SPECIAL]
    names = _listed(arguments.scenarios, every, "scenario")
    wanted = _listed(arguments.servers, list(servers.BY_NAME), "server")
    plan = {}
    for name in names:
        row = scenarios.BY_NAME.get(name)
        fit = [each for each in wanted if _fits(servers.BY_NAME[each], name, row)]
        if arguments.targets:
            needed = [servers.OURS.name, *targets.SERVERS.get(name, [])]
            fit = [each for each in fit if each in needed and name in targets.SERVERS]
        if fit:
            plan[name] = fit
    return plan


def _fits(server, name, scenario):
    """Whether the server takes part: 2.7 in legacy scenarios, the bare loop where it has a mode."""
    if server is servers.LIMIT:
        return name in ("idle", "weight") or (scenario is not None and scenario.limit is not None)
    return server.legacy == (scenario is not None and scenario.legacy)


def _listed(text, known, what):
    names = text.split(",") if text else known
    unknown = [each for each in names if each not in known]
    if unknown:
        sys.exit(f"no such {what}: {', '.join(unknown)}; there are {', '.join(known)}")
    return [each for each in known if each in names]


def _have(installation, server, results):
    try:
        results.versions[server.name] = installation.site(server).version
    except install.Missing as reason:
        results.missing[server.name] = str(reason)


def _rotated(names, number):
    """The names with another one first in each round: nobody always follows the same neighbour."""
    at = number % len(names) if names else 0
    return names[at:] + names[:at]


def _stop(running):
    for process in running.values():
        process.stop()


def _request_file(scenario):
    path = install.FOLDER / f"{scenario.name}.request"
    path.write_bytes(scenario.request)
    return path


def _require_machine():
    if not {load.SERVER_CORE, load.CLIENT_CORE} <= os.sched_getaffinity(0):
        sys.exit("two cores are needed: one for the servers, one for wrk")
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: on Debian and Ubuntu, apt-get install wrk")


def _heading(installation, results):
    version = ".".join(map(str, installation.interpreter.version))
    versions = ", ".join(f"{name} {text}".strip() for name, text in results.versions.items())
    text = f"Python {version}, Linux {platform.release()}: {versions}"
    for name, reason in results.missing.items():
        text += f"\nNOT MEASURED, could not be installed: {name}: {reason}"
    return text


def _record(arguments, installation, results):
    return {
        "python": ".".join(map(str, installation.interpreter.version)),
        "kernel": platform.release(),
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "disturbed": results.disturbed(),
        **results.as_json(),
    }


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    known = ", ".join([*scenarios.BY_NAME, *SPECIAL])
    parser.add_argument("--scenarios", metavar="A,B", help=f"only these of: {known}")
    parser.add_argument("--servers", metavar="A,B", help=f"of: {', '.join(servers.BY_NAME)}")
    parser.add_argument("--rounds", type=int, help="rounds of each server (3; for --targets 7)")
    parser.add_argument("--seconds", type=int, default=1, help="length of a round (1)")
    parser.add_argument("--reference", default=servers.LIMIT.name, help="whom ratios refer to")
    parser.add_argument("--targets", action="store_true", help="measure and judge the targets")
    parser.add_argument("--python", help="runs the peers and ours (default: this one)")
    parser.add_argument("--ours", metavar="PYTHON", help="one that has fapws installed already")
    parser.add_argument("--reinstall", action="store_true", help="make the peers' environment anew")
    parser.add_argument("--json", metavar="FILE", help="where every sample is kept")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (7 if arguments.targets else 3)
    return arguments


if __name__ == "__main__":
    main()

"""The benchmark: Fapws, its peers and the limit of one core, measured side by side.

    make bench                                  every server in every scenario, and the picture
    python tests/bench/run.py --targets         the marks Fapws is to reach, each met or not
    python tests/bench/run.py --only mixed --servers fapws,granian --rounds 3

It runs on the Python of the test suite's driver (`make test` or `make bench` makes it), needs wrk,
a C compiler, libev's headers and two cores: the servers have the first, wrk the second. Servers of
a scenario all run at once, idle but for the one under load, and take turns in short rounds, so that
whatever else the machine does meets them all; what is reported are medians. README.md in this
folder says how to read the numbers.
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
import cliffs
import idle
import install
import load
import proxy
import report
import responses
import scenarios
import servers
import start
import targets
import weight
from results import Results

#: What is measured without a row in the scenario table.
SPECIAL = ["start", "weight", "idle", "cliffs"]
NOISY = 0.1


def main():
    """Measure what the arguments name, print it and keep it."""
    arguments = _arguments()
    _require_machine()
    idle.allow_descriptors()
    plan = _plan(arguments)
    try:
        installation = install.Installation(
            arguments.python, arguments.ours, arguments.before, arguments.reinstall
        )
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
    for picture, words in ((arguments.picture, ()), (arguments.summary, ("summary",))):
        if picture:
            installation.draw(path.resolve(), pathlib.Path(picture).resolve(), *words)
            print(f"picture: {picture}")


class Bench:
    """One line of the plan: its servers are started, measured and ended."""

    def __init__(self, installation, chosen, arguments, results):
        self._installation = installation
        self._chosen = chosen
        self._rounds = arguments.rounds
        self._seconds = arguments.seconds
        self._reference = arguments.reference
        self._threads = arguments.threads
        self._results = results
        #: nginx by server's name, in the scenarios that have one.
        self._proxies = {}

    def run(self, name):
        """Measure the scenario or special of this name; returns its table."""
        special = {
            "idle": self._idle,
            "weight": self._weight,
            "start": self._start,
            "cliffs": self._cliffs,
        }
        if name in special:
            return special[name]()
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
            _stop(self._proxies)
            _stop(running)
            self._proxies.clear()
        return report.scenario(self._results, scenario, self._reference)

    def _verified(self, running, name, scenario):
        process = running[name]
        try:
            responses.check(process, _as_sent_to(process.server, scenario))
        except responses.WrongResponse as failure:
            self._drop(running, name, scenario.name, failure)
            return
        if scenario.logged and not responses.logged(process):
            self._drop(running, name, scenario.name, "no line in its access log")
        if scenario.streams and process.server is not servers.LIMIT:
            self._results.streams[name] = responses.sends_each_chunk(process)

    def _measured(self, running, name, scenario, request_file):
        try:
            sent = _as_sent_to(running[name].server, scenario)
            sample = load.measure(running[name], sent, self._seconds, request_file)
        except load.LoadError as failure:
            self._drop(running, name, scenario.name, failure)
            return
        self._results.samples.setdefault((scenario.name, name), []).append(sample)

    def _drop(self, running, name, scenario, failure):
        dead = "" if running[name].alive else " (it ended)"
        self._results.rejected[scenario, name] = f"{failure}{dead}"
        self._results.samples.pop((scenario, name), None)
        running.pop(name).stop()

    def _started(self, scenario, app=None):
        running = {}
        for server in self._chosen:
            try:
                process = self._installation.process(server, scenario, app, self._threads)
                running[server.name] = process.start()
                if scenario.proxied:
                    self._put_proxy_before(process)
            except servers.StartError as failure:
                self._results.rejected[scenario.name, server.name] = f"does not start: {failure}"
        return running

    def _put_proxy_before(self, process):
        name = process.server.name
        folder = install.FOLDER / f"nginx-{name}"
        self._proxies[name] = proxy.Proxy(process, folder).start()
        process.port = self._proxies[name].port

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
                self._results.rejected["idle", server.name] = str(failure)
            finally:
                process.stop()
        return report.idle(self._results)

    def _weight(self):
        hello = scenarios.BY_NAME["hello"]
        for server in self._chosen:
            running = {}
            try:
                running[server.name] = process = self._installation.process(server, hello).start()
                responses.check(process, hello)
                self._results.weights[server.name] = weight.weigh(process)
            except (servers.StartError, responses.WrongResponse) as failure:
                self._results.rejected["weight", server.name] = str(failure)
            finally:
                _stop(running)
            if server.extension:
                site = self._installation.site(server)
                self._results.imports[server.name] = weight.import_ms(site, server.extension)
        return report.weight(self._results)

    def _start(self):
        hello = scenarios.BY_NAME["hello"]
        left = list(self._chosen)
        # The first round writes byte code and is not counted.
        for number in range(self._rounds + 1):
            for server in _rotated(list(left), number):
                process = self._installation.process(server, hello)
                try:
                    elapsed = start.first_response_ms(process, hello)
                except servers.StartError as failure:
                    self._results.rejected["start", server.name] = str(failure)
                    self._results.starts.pop(server.name, None)
                    left.remove(server)
                    continue
                if number:
                    self._results.starts.setdefault(server.name, []).append(elapsed)
        return report.start(self._results)

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
    names = _listed(arguments.only, every, "scenario")
    wanted = _listed(arguments.servers, list(servers.BY_NAME), "server")
    if not arguments.before:
        wanted = [each for each in wanted if each != servers.BEFORE.name]
    plan = {}
    for name in names:
        row = scenarios.BY_NAME.get(name)
        fit = [each for each in wanted if _fits(servers.BY_NAME[each], name, row)]
        if arguments.targets:
            needed = [servers.OURS.name, *targets.SERVERS.get(name, [])]
            fit = [each for each in fit if each in needed and name in targets.SERVERS]
        if row is not None and row.proxied and not proxy.available():
            print(f"{name}: not measured: nginx is not installed")
        elif fit:
            plan[name] = fit
    return plan


def _as_sent_to(server, scenario):
    return scenario.for_limit() if server is servers.LIMIT else scenario


def _fits(server, name, scenario):
    """Whether the server takes part in the scenario, or special, of this name."""
    if server.scenarios and name not in server.scenarios:
        return False
    if server is servers.LIMIT:
        return name in ("idle", "start", "weight") or (
            scenario is not None and scenario.limit is not None
        )
    if scenario is None:
        return not server.legacy
    return server.legacy == scenario.legacy and (
        (server.threads or scenario.threads == 1)
        and (server.logs or not scenario.logged)
        and (server.unix or scenario.proxied != "unix")
    )


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
    """The file that load.lua reads; the requests of the clients beside lie next to it."""
    path = install.FOLDER / f"{scenario.name}.request"
    path.write_bytes(_framed(scenario.requests))
    if scenario.beside:
        path.with_suffix(".beside").write_bytes(_framed([scenario.beside.request]))
    return path


def _framed(requests):
    return b"".join(b"%d\n%b" % (len(each), each) for each in requests)


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
        "shown": {each.name: (each.title, each.shown) for each in scenarios.SCENARIOS},
        **results.as_json(),
    }


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    known = ", ".join([*scenarios.BY_NAME, *SPECIAL])
    parser.add_argument(
        "--only", "--scenarios", metavar="A,B", help=f"only these scenarios, of: {known}"
    )
    parser.add_argument("--servers", metavar="A,B", help=f"of: {', '.join(servers.BY_NAME)}")
    parser.add_argument("--rounds", type=int, help="rounds of each server (3; for --targets 7)")
    parser.add_argument("--seconds", type=int, default=1, help="length of a round (1)")
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="threads for the application in servers that have them (default: the scenario's, "
        f"{scenarios.THREADS} where calls wait, else 1)",
    )
    parser.add_argument(
        "--reference", default=servers.LIMIT.name, help="the server that ratios refer to"
    )
    parser.add_argument("--targets", action="store_true", help="measure and judge the targets")
    parser.add_argument("--python", help="runs the peers and ours (default: this one)")
    parser.add_argument("--ours", metavar="PYTHON", help="one that has fapws installed already")
    parser.add_argument(
        "--before",
        metavar="PYTHON",
        help="one that has another build of fapws installed: the server `before`",
    )
    parser.add_argument("--picture", metavar="FILE", help="an SVG to draw the results into")
    parser.add_argument("--summary", metavar="FILE", help="a small SVG with what most look for")
    parser.add_argument("--reinstall", action="store_true", help="make the peers' environment anew")
    parser.add_argument("--json", metavar="FILE", help="where every sample is kept")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (7 if arguments.targets else 3)
    return arguments


if __name__ == "__main__":
    main()

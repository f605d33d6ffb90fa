"""The marks that Fapws is to reach, each against a server measured in the same run.

They are ratios (`Results.ratio`), so that they hold on another machine than the one they were set
on. `SERVERS` says which servers a scenario's targets need, so that a run for the targets alone is
short. "The best" is the peer with the least processor time a request, or the most requests a
second, in this run.
"""

from dataclasses import dataclass

from servers import (
    LIMIT,
    MANY_THREADS,
    ONE_THREAD,
    ORIGINAL,
    OURS,
    PEERS,
    SWAPPED,
    UNLOGGED,
)

ALL_PEERS = [each.name for each in PEERS]
THREADED = ["granian", "uwsgi", "peregrine", "gunicorn"]
FRAMEWORK = ["freastal", "bjoern", "fastpysgi", "granian"]
BEHIND_PROXY = ["gunicorn", "bjoern", "granian"]

#: scenario -> servers to measure with ours.
SERVERS = {
    "hello": [LIMIT.name, "freastal", MANY_THREADS.name],
    "hello-length": [LIMIT.name, "freastal"],
    "browser": [LIMIT.name, "freastal"],
    "close": [LIMIT.name, "freastal"],
    "post": [LIMIT.name, "freastal"],
    "form": ["freastal"],
    "form-read": ["freastal"],
    "upload": [LIMIT.name],
    "body": [LIMIT.name, *(each for each in ALL_PEERS if each != "gunicorn")],
    "file": [LIMIT.name, "granian"],
    "pipelined": [LIMIT.name, "freastal"],
    "generator": [LIMIT.name, "granian"],
    "flask": FRAMEWORK,
    "django": FRAMEWORK,
    "django-default": FRAMEWORK,
    "access-log": [UNLOGGED.name, "granian"],
    "wait": [LIMIT.name, *THREADED],
    "mixed": [LIMIT.name, *THREADED],
    "mixed-query": [LIMIT.name, *THREADED],
    "mixed-item": [LIMIT.name, *THREADED],
    "compute": [ONE_THREAD.name],
    "files": [ONE_THREAD.name],
    "nginx-tcp": BEHIND_PROXY,
    "nginx-tcp-page": BEHIND_PROXY,
    "nginx-unix": BEHIND_PROXY,
    "nginx-unix-page": BEHIND_PROXY,
    "legacy-hello": [ORIGINAL.name, SWAPPED.name],
    "legacy-post": [ORIGINAL.name, SWAPPED.name],
    "start": ["fapws-command", "waitress"],
    "weight": ["fapws-command", "gunicorn"],
    "idle": ["bjoern"],
    "cliffs": [],
}

#: What hello may cost more beside idle connections: "unchanged", with room for noise.
UNCHANGED = 1.05


@dataclass(frozen=True)
class Verdict:
    """One target: `met` is None where something was not measured."""

    title: str
    measured: str
    bound: str
    met: bool


def verdicts(results):
    """Every target against these results."""
    return [
        _cost(results, "hello", LIMIT.name, 1.10),
        _cost(results, "hello", OURS.name, 1.02, MANY_THREADS.name),
        _cost(results, "hello-length", LIMIT.name, 1.10),
        _cost(results, "browser", LIMIT.name, 1.10),
        _cost(results, "close", "freastal", 0.75),
        _cost(results, "post", "freastal", 0.85),
        _cost(results, "form-read", "freastal", 1.05),
        _cost(results, "upload", LIMIT.name, 1.25),
        _best(results, "body", 1.05),
        _cost(results, "file", "granian", 0.4),
        _rate(results, "file", "granian", 1.5),
        _cost(results, "pipelined", "freastal", 0.3),
        _cost(results, "generator", "granian", 0.2),
        _cost(results, "generator", OURS.name, 1.4, other="hello"),
        _streams(results),
        _best(results, "flask", 0.9),
        _best(results, "django", 1.0),
        _best(results, "django-default", 1.0),
        _cost(results, "access-log", UNLOGGED.name, 1.15),
        _rate(results, "wait", _fastest(results, "wait"), 0.98),
        _best(results, "wait", 0.85),
        _rate(results, "mixed", "granian", 1.0),
        _best(results, "mixed", 0.45),
        _median_wait(results, "mixed", "granian", 1.0),
        _rate(results, "mixed-query", "granian", 1.0),
        _best(results, "mixed-query", 0.55),
        _rate(results, "mixed-item", "granian", 0.9),
        _median_wait(results, "compute", ONE_THREAD.name, 0.1),
        _cost(results, "files", ONE_THREAD.name, 1.03),
        _best(results, "nginx-tcp", 1.0),
        _best(results, "nginx-tcp-page", 1.0),
        _best(results, "nginx-unix", 1.0),
        _best(results, "nginx-unix-page", 1.0),
        _cost(results, "legacy-hello", ORIGINAL.name, 0.55, SWAPPED.name),
        _cost(results, "legacy-post", ORIGINAL.name, 0.25, SWAPPED.name),
        _start(results),
        *_weights(results),
        *_idle(results),
        *_cliffs(results),
    ]


def _cost(results, scenario, reference, most, server=OURS.name, other=None):
    title = f"{scenario}: CPU a request" + _of(server)
    return _below(results, title, "cpu_us", scenario, reference, most, server, other)


def _median_wait(results, scenario, reference, most):
    return _below(results, f"{scenario}: p50", "p50_us", scenario, reference, most, OURS.name, None)


def _below(results, title, number, scenario, reference, most, server, other):
    ratio = results.ratio(scenario, server, reference, number, other)
    bound = f"<= {most:.2f} x {reference}" + (f" in {other}" if other else "")
    if ratio is None:
        return Verdict(title, "not measured", bound, None)
    ours = results.value(scenario, server, number)
    theirs = results.value(other or scenario, reference, number)
    right = results.errors(scenario, server) == 0
    errors = "" if right else f", {results.errors(scenario, server)} errors"
    shown = f"{ratio:.2f} x (medians {ours:,.2f} / {theirs:,.2f} us){errors}"
    return Verdict(title, shown, bound, ratio <= most and right)


def _best(results, scenario, most):
    return _cost(results, scenario, results.best(scenario, ALL_PEERS) or "the best peer", most)


def _fastest(results, scenario):
    there = [each for each in ALL_PEERS if results.samples.get((scenario, each))]
    return max(there, key=lambda each: results.value(scenario, each, "rate"), default="the fastest")


def _of(server):
    return "" if server == OURS.name else f", {server}"


def _rate(results, scenario, reference, least):
    ratio = results.ratio(scenario, OURS.name, reference, "rate")
    title, bound = f"{scenario}: requests a second", f">= {least:.2f} x {reference}"
    if ratio is None:
        return Verdict(title, "not measured", bound, None)
    return Verdict(title, f"{ratio:.2f} x", bound, ratio >= least)


def _streams(results):
    sent = results.streams.get(OURS.name)
    shown = {True: "it is", False: "it is gathered", None: "not measured"}[sent]
    return Verdict("generator: each chunk on the wire", shown, "before the next one", sent)


def _start(results):
    ours, theirs = results.start_ms("fapws-command"), results.start_ms("waitress")
    title, bound = "start to first response, python -m fapws", "<= 0.90 x waitress"
    if ours is None or theirs is None:
        return Verdict(title, "not measured", bound, None)
    shown = f"{ours / theirs:.2f} x ({ours:.1f} / {theirs:.1f} ms)"
    return Verdict(title, shown, bound, ours <= 0.9 * theirs)


def _weights(results):
    ours, theirs = results.weights.get("fapws-command"), results.weights.get("gunicorn")
    title, bound = "memory (PSS), python -m fapws", "<= 0.60 x gunicorn"
    if ours is None or theirs is None:
        yield Verdict(title, "not measured", bound, None)
    else:
        ratio = ours.proportional / theirs.proportional
        shown = f"{ratio:.2f} x ({ours.proportional:.1f} / {theirs.proportional:.1f} MB)"
        yield Verdict(title, shown, bound, ratio <= 0.6)
    alone = results.weights.get(OURS.name)
    yield _at_most("resident after start", alone.resident if alone else None, 13.0, "MB")
    yield _at_most("import of the extension", results.imports.get(OURS.name), 5.0, "ms")


def _idle(results):
    found = results.idle.get(OURS.name)
    if not found:
        return [
            Verdict("idle: memory of a connection", "not measured", "<= 0.5 kB", None),
            Verdict("idle: hello beside them", "not measured", f"<= {UNCHANGED:.2f} x", None),
            Verdict("idle: wake-ups", "not measured", "<= 1 a second", None),
        ]
    return [
        _at_most("idle: memory of a connection", found.kib_each, 0.5, "kB"),
        Verdict(
            "idle: hello beside them",
            f"{found.slowdown:.2f} x, {found.held} held",
            f"<= {UNCHANGED:.2f} x",
            found.slowdown <= UNCHANGED,
        ),
        _at_most("idle: wake-ups", found.wake_ups, 1, "a second"),
    ]


def _at_most(title, value, most, unit):
    if value is None:
        return Verdict(title, "not measured", f"<= {most:g} {unit}", None)
    return Verdict(title, f"{value:.2f} {unit}", f"<= {most:g} {unit}", value <= most)


def _cliffs(results):
    probes = results.cliffs.get(OURS.name)
    if not probes:
        return [Verdict("no cliff", "not measured", "no wait for an ACK", None)]
    return [
        Verdict(
            f"no cliff: {name}",
            waits.failure or f"{waits.longest * 1e3:.1f} ms, {waits.cliffs} cliffs",
            "no wait for an ACK",
            not waits.failure and not waits.cliffs,
        )
        for name, waits in probes.items()
    ]

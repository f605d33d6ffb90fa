"""The marks that Fapws is to reach, each against a server measured in the same run.

They are ratios of processor time a request (`Results.ratio`), so that they hold on another machine
than the one they were set on. `SERVERS` says which servers a scenario's target
needs, so that a run for the targets alone is short.
"""

from dataclasses import dataclass

from servers import LIMIT, ORIGINAL, OURS, PEERS, SWAPPED

ALL_PEERS = [each.name for each in PEERS]

#: scenario -> servers to measure with ours.
SERVERS = {
    "hello": [LIMIT.name, "freastal"],
    "hello-length": [LIMIT.name, "freastal"],
    "browser": [LIMIT.name, "freastal"],
    "close": [LIMIT.name, "freastal"],
    "post": [LIMIT.name, "freastal"],
    "body": [LIMIT.name, *(each for each in ALL_PEERS if each != "gunicorn")],
    "file": [LIMIT.name, "granian"],
    "pipelined": [LIMIT.name, "freastal"],
    "generator": [LIMIT.name, "peregrine"],
    "legacy-hello": [ORIGINAL.name, SWAPPED.name],
    "legacy-post": [ORIGINAL.name, SWAPPED.name],
    "idle": ["bjoern"],
    "weight": ["bjoern"],
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
    rows = [
        _cost(results, "hello", LIMIT.name, 1.10),
        _cost(results, "hello-length", LIMIT.name, 1.10),
        _cost(results, "browser", LIMIT.name, 1.12),
        _cost(results, "close", "freastal", 0.75),
        _cost(results, "post", "freastal", 0.85),
        _best(results, "body", 1.05),
        _cost(results, "file", "granian", 0.4),
        _rate(results, "file", "granian", 1.5),
        _cost(results, "pipelined", "freastal", 0.3),
        _cost(results, "generator", "peregrine", 0.8),
        _streams(results),
        _cost(results, "legacy-hello", ORIGINAL.name, 0.55, SWAPPED.name),
        _cost(results, "legacy-post", ORIGINAL.name, 0.25, SWAPPED.name),
        *_idle(results),
        _at_most("process after import and start", results.resident.get(OURS.name), 13.0, "MB"),
        _at_most("import of the extension", results.imports.get(OURS.name), 5.0, "ms"),
        *_cliffs(results),
    ]
    return rows


def _cost(results, scenario, reference, most, server=OURS.name):
    ratio = results.ratio(scenario, server, reference)
    ours = results.value(scenario, server, "cpu_us")
    theirs = results.value(scenario, reference, "cpu_us")
    title = f"{scenario}: CPU a request"
    bound = f"<= {most:.2f} x {reference}"
    if ratio is None:
        return Verdict(title, "not measured", bound, None)
    right = results.errors(scenario, server) == 0
    errors = "" if right else f", {results.errors(scenario, server)} errors"
    shown = f"{ratio:.2f} x (medians {ours:.2f} / {theirs:.2f} us){errors}"
    return Verdict(title, shown, bound, ratio <= most and right)


def _best(results, scenario, most):
    peers = [each for each in results.measured(scenario) if each in ALL_PEERS]
    return _cost(results, scenario, peers[0] if peers else "the best peer", most)


def _rate(results, scenario, reference, least):
    ratio = results.ratio(scenario, OURS.name, reference, "rate")
    title, bound = f"{scenario}: requests a second", f">= {least:.2f} x {reference}"
    if ratio is None:
        return Verdict(title, "not measured", bound, None)
    return Verdict(title, f"{ratio:.2f} x", bound, ratio >= least)


def _streams(results):
    answer = results.streams.get(OURS.name)
    shown = {True: "it is", False: "it is gathered", None: "not measured"}[answer]
    return Verdict("generator: each chunk on the wire", shown, "before the next one", answer)


def _idle(results):
    found = results.idle.get(OURS.name)
    if not found:
        return [
            Verdict("idle: memory of a connection", "not measured", "<= 0.5 kB", None),
            Verdict("idle: hello beside them", "not measured", f"<= {UNCHANGED:.2f} x", None),
        ]
    return [
        _at_most("idle: memory of a connection", found.kib_each, 0.5, "kB"),
        Verdict(
            "idle: hello beside them",
            f"{found.slowdown:.2f} x, {found.held} held",
            f"<= {UNCHANGED:.2f} x",
            found.slowdown <= UNCHANGED,
        ),
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

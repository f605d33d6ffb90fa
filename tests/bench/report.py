"""Results as tables for a terminal. Nothing is computed here but what a column shows."""

from cliffs import CLIFF
from idle import CONNECTIONS
from results import NUMBERS
from servers import OURS

NONE = "-"


def table(headings, rows):
    """Rows of text under their headings: the first column to the left, the others to the right."""
    lines = [headings, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]
    shown = []
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        shown.append("  ".join(cells).rstrip())
    return "\n".join(shown)


def number(value, digits=2):
    """A number with some digits, or a dash for None."""
    return NONE if value is None else f"{value:,.{digits}f}"


def scenario(results, scenario, reference):
    """The table of one scenario: servers by processor time a request.

    Ratios refer to ours where the reference is not measured.
    """
    if not results.samples.get((scenario.name, reference)):
        reference = OURS.name
    headings = ["server", "req/s", "CPU us", "user", "system", f"x {reference}"]
    headings += ["p50 us", "p99 us", "peak MB", "errors"]
    headings += ["beside/s", ""] if scenario.beside else [""]
    rows = []
    for name in results.measured(scenario.name):
        value = {each: results.value(scenario.name, name, each) for each in NUMBERS}
        peak = results.peaks.get((scenario.name, name))
        gathers = scenario.streams and not results.streams.get(name, True)
        rows.append(
            [
                name,
                number(value["rate"], 0),
                number(value["cpu_us"]),
                number(value["user_us"]),
                number(value["system_us"]),
                number(results.ratio(scenario.name, name, reference)),
                number(value["p50_us"] or None, 0),
                number(value["p99_us"] or None, 0),
                number(peak / 1024 if peak else None, 1),
                str(results.errors(scenario.name, name)),
                *([number(value["beside"], 1)] if scenario.beside else []),
                "gathers the chunks" if gathers else "",
            ]
        )
    return _with_reasons(
        results, scenario.name, f"{scenario.name}: {scenario.title}", headings, rows
    )


def idle(results):
    """Memory and slow-down by idle connections."""
    rows = [
        [
            name,
            number(each.kib_each),
            str(each.held),
            number(each.alone_us),
            number(each.beside_us),
            number(each.slowdown),
            number(each.wake_ups, 1),
        ]
        for name, each in sorted(results.idle.items(), key=lambda item: item[1].kib_each)
    ]
    headings = ["server", "kB each", "held", "hello alone us", "beside them us", "x", "wake-ups/s"]
    return _with_reasons(
        results, "idle", f"idle: {CONNECTIONS:,} idle connections held", headings, rows
    )


def weight(results):
    """Size of the processes and time of the imports."""
    names = sorted(results.weights, key=lambda each: results.weights[each].proportional)
    rows = [
        [
            each,
            number(results.weights[each].proportional, 1),
            number(results.weights[each].resident, 1),
            number(results.imports.get(each)),
        ]
        for each in names
    ]
    headings = ["server", "PSS MB", "resident MB", "import of its extension ms"]
    return _with_reasons(
        results, "weight", "weight: all processes, after the first response", headings, rows
    )


def start(results):
    """Time from a server's start to its first response."""
    rows = [
        [
            name,
            number(results.start_ms(name), 1),
            number(min(results.starts[name]), 1),
            number(max(results.starts[name]), 1),
        ]
        for name in sorted(results.starts, key=results.start_ms)
    ]
    headings = ["server", "median ms", "least", "most"]
    title = "start: from the start of the process to its first response"
    return _with_reasons(results, "start", title, headings, rows)


def _with_reasons(results, scenario, title, headings, rows):
    text = f"{title}\n{table(headings, rows)}"
    for (each, server), reason in results.rejected.items():
        if each == scenario:
            text += f"\n{server}: not measured: {reason}"
    return text


def cliffs(results):
    """The longest wait of each probe in milliseconds; `!` where an ACK was waited for."""
    names = list(results.cliffs)
    probes = list(next(iter(results.cliffs.values()), {}))
    rows = []
    for probe in probes:
        cells = []
        for name in names:
            waits = results.cliffs[name][probe]
            mark = f" !{waits.cliffs}" if waits.cliffs else ""
            cells.append("fails" if waits.failure else f"{waits.longest * 1e3:.1f}{mark}")
        rows.append([probe, *cells])
    text = (
        f"cliffs: longest wait in ms, with !N where N waits were {CLIFF * 1e3:.0f} ms or longer\n"
        + table(["probe", *names], rows)
    )
    for name in names:
        for probe, waits in results.cliffs[name].items():
            if waits.failure:
                text += f"\n{name}: {probe}: {waits.failure}"
    return text


def targets(verdicts):
    """One line a target: what was measured, and its bound."""
    words = {True: "met", False: "NOT MET", None: "?"}
    rows = [[each.title, each.measured, each.bound, words[each.met]] for each in verdicts]
    return "targets\n" + table(["what", "measured", "bound", ""], rows)

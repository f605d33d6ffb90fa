"""Results as tables for a terminal. Nothing is computed here but what a column shows."""

from cliffs import CLIFF
from idle import CONNECTIONS

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
    """The table of one scenario: servers by processor time a request."""
    headings = ["server", "req/s", "CPU us", "user", "system", f"x {reference}"]
    headings += ["p50 us", "p99 us", "peak MB", "errors", ""]
    rows = []
    for name in results.measured(scenario.name):
        value = {
            each: results.value(scenario.name, name, each)
            for each in ("rate", "cpu_us", "user_us", "system_us", "p50_us", "p99_us")
        }
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
                "gathers the chunks" if gathers else "",
            ]
        )
    text = f"{scenario.name}: {scenario.title}\n{table(headings, rows)}"
    for (each, server), reason in results.refused.items():
        if each == scenario.name:
            text += f"\n{server}: not measured: {reason}"
    return text


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
        ]
        for name, each in sorted(results.idle.items(), key=lambda item: item[1].kib_each)
    ]
    headings = ["server", "kB each", "held", "hello alone us", "beside them us", "x"]
    text = f"idle: {CONNECTIONS:,} idle connections held\n{table(headings, rows)}"
    for (each, server), reason in results.refused.items():
        if each == "idle":
            text += f"\n{server}: not measured: {reason}"
    return text


def weight(results):
    """Size of the processes and time of the imports."""
    names = sorted(results.resident, key=results.resident.get)
    rows = [
        [each, number(results.resident[each], 1), number(results.imports.get(each))]
        for each in names
    ]
    return "weight: after import and start\n" + table(
        ["server", "resident MB", "import of its extension ms"], rows
    )


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
    """One line a target: what was measured against what was asked for."""
    words = {True: "met", False: "NOT MET", None: "?"}
    rows = [[each.title, each.measured, each.bound, words[each.met]] for each in verdicts]
    return "targets\n" + table(["what", "measured", "asked for", ""], rows)

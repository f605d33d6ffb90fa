"""Draws a results file as one picture: a bar chart a scenario.

    python chart.py RESULTS.json PICTURE.svg            every scenario and server
    python chart.py RESULTS.json PICTURE.svg summary    the few that the README begins with

It runs in an environment of its own that has matplotlib; nothing of the benchmark is imported, so
what it draws is what the file has. Bars are medians; the shorter the better but where the unit is
requests a second. A scenario without a measured server is left out.
"""

import json
import sys

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt

COLUMNS = 3
#: Scenarios and servers of the summary: cases that most applications are made of, and the servers
#: that the README compares with.
SUMMARY = ("hello", "close", "flask", "file", "generator", "mixed")
COMPARED = ("fapws", "gunicorn", "bjoern", "granian", "waitress")
NAMES = {
    "epoll": "bare epoll loop",
    "fapws-1": "fapws, one thread",
    "fapws-64": "fapws, 64 threads",
    "fapws-unlogged": "fapws without the log",
    "fapws-command": "fapws",
}
OURS, LIMIT, PEER = "#d1495b", "#9aa5b1", "#3d6a9e"
UNITS = {
    "cpu_us": "µs of server CPU a request",
    "rate": "requests a second (more is better)",
    "p50_us": "µs, median response time",
}
#: The slowest servers of a scenario make the others' bars invisible: a bar ends at this multiple of
#: the least, and its number says the rest.
LONGEST = 12


def charts(record, is_summary):
    """(title, unit, more is better, {server: number}) of every scenario that was measured."""
    for name in SUMMARY if is_summary else record["shown"]:
        title, shown = record["shown"][name]
        values = {
            server: entry["median"][shown]
            for server, entry in record["scenarios"].get(name, {}).items()
            if "median" in entry and (server in COMPARED or not is_summary)
        }
        if values:
            yield title, UNITS[shown], shown == "rate", values
    if is_summary:
        return
    starts = {
        server: sorted(times)[len(times) // 2] for server, times in record["start_ms"].items()
    }
    if starts:
        yield "start to first response", "ms", False, starts
    weights = {server: entry["proportional"] for server, entry in record["weight_mb"].items()}
    if weights:
        yield "memory of all processes (PSS)", "MB", False, weights


def draw(axes, title, unit, more, values):
    """One bar chart, the best server at the top."""
    ordered = sorted(values.items(), key=lambda item: item[1], reverse=not more)
    names, numbers = zip(*ordered)
    end = max(numbers) if more else min(max(numbers), LONGEST * max(min(numbers), 1e-9))
    labels = [NAMES.get(each, each) for each in names]
    axes.barh(labels, [min(each, end) for each in numbers], color=[color(each) for each in names])
    for place, number in enumerate(numbers):
        text = f"{number:,.0f}" if number >= 100 else f"{number:.1f}"
        text += " (bar cut)" if number > end else ""
        axes.text(min(number, end), place, f" {text}", va="center", fontsize=7)
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlabel(unit, fontsize=7)
    axes.set_xlim(0, end * 1.25)
    axes.tick_params(labelsize=7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def color(server):
    """Ours and the bare loop stand out."""
    if server.startswith("fapws"):
        return OURS
    return LIMIT if server == "epoll" else PEER


def main():
    """Read the file, draw, write."""
    source, picture, *words = sys.argv[1:]
    with open(source) as file:
        record = json.load(file)
    # Text stays text, and the same results give the same file.
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "fapws"})
    every = list(charts(record, words == ["summary"]))
    rows = max(1, -(-len(every) // COLUMNS))
    tallest = max((len(values) for *_, values in every), default=1)
    size = (4 * COLUMNS, rows * (0.9 + 0.17 * tallest) + 0.3)
    figure, grid = plt.subplots(rows, COLUMNS, figsize=size, squeeze=False, layout="constrained")
    places = list(grid.flat)
    for axes, chart in zip(places, every):
        draw(axes, *chart)
    for axes in places[len(every) :]:
        axes.axis("off")
    system = f"Python {record['python']}, Linux {record['kernel']}"
    figure.suptitle(f"{system}: medians of {record['rounds']} rounds", fontsize=9)
    figure.savefig(picture, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()

"""Draws a results file as one picture: a bar chart a scenario.

    python chart.py RESULTS.json PICTURE.svg

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
OURS, LIMIT, PEER = "#d1495b", "#9aa5b1", "#3d6a9e"
UNITS = {
    "cpu_us": "µs of server CPU a request",
    "rate": "requests a second (more is better)",
    "p50_us": "µs, median response time",
}
#: The slowest servers of a scenario make the others' bars invisible: a bar ends at this multiple of
#: the least, and its number says the rest.
LONGEST = 12


def charts(record):
    """(title, unit, more is better, {server: number}) of every scenario that was measured."""
    for name, (title, shown) in record["shown"].items():
        servers = record["scenarios"].get(name, {})
        values = {
            server: entry["median"][shown] for server, entry in servers.items() if "median" in entry
        }
        if values:
            yield title, UNITS[shown], shown == "rate", values
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
    axes.barh(names, [min(each, end) for each in numbers], color=[color(each) for each in names])
    for place, number in enumerate(numbers):
        text = f"{number:,.0f}" if number >= 100 else f"{number:.1f}"
        axes.text(min(number, end), place, f" {text}", va="center", fontsize=7)
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlabel(unit, fontsize=7)
    axes.set_xlim(0, end * 1.18)
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
    source, picture = sys.argv[1:]
    with open(source) as file:
        record = json.load(file)
    # Text stays text, and the same results give the same file.
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "fapws"})
    every = list(charts(record))
    rows = -(-len(every) // COLUMNS)
    tallest = max((len(values) for *_, values in every), default=1)
    size = (4.6 * COLUMNS, max(1, rows) * (0.9 + 0.17 * tallest))
    figure, grid = plt.subplots(max(1, rows), COLUMNS, figsize=size, squeeze=False)
    places = list(grid.flat)
    for axes, chart in zip(places, every):
        draw(axes, *chart)
    for axes in places[len(every) :]:
        axes.axis("off")
    system = f"Python {record['python']}, Linux {record['kernel']}"
    figure.suptitle(f"{system}: medians of {record['rounds']} rounds", fontsize=9)
    figure.tight_layout(rect=(0, 0, 1, 0.99))
    figure.savefig(picture, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()

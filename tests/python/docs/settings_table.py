"""The tables of docs/settings.md, made from the server's own table of settings.

A row's last cell is written by hand, in the page; the others come from fapws/settings.py. With
FAPWS_WRITE_PAGE=1 the test of the page writes the rows anew (`make settings`).
"""

import importlib
import re
import sys

from support import ROOT

PAGE = ROOT / "docs" / "settings.md"

HEAD = ["| setting | default | |", "|---|---|---|"]


def table():
    """The module fapws.settings of this work tree. It needs no compiled core."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    return importlib.import_module("fapws.settings")


def groups():
    """Heading -> its rows of the table, in the page's order."""
    return dict(table().GROUPS)


def cells(row):
    """The cells of a row that are not written by hand."""
    option = ", ".join(f"`{word}`" for word in row.options)
    if row.kind.is_flag and row.default:
        option = f"`--no-{row.option[2:]}`"
    if row.kind.bare is not None:
        option += " (value optional)"
    gunicorn = ", ".join(f"`{word}`" for word in row.gunicorn)
    names = [f"`{row.name}`", option, gunicorn and f"gunicorn's: {gunicorn}"]
    return ["<br>".join(name for name in names if name), default(row)]


def default(row):
    """The default, with its unit, for people."""
    if row.shown is not None:
        return row.shown
    text = f"`{row.default!r}`"
    if row.legacy is not None:
        text += f", legacy `{row.legacy!r}`"
    return f"{text} {row.unit}".strip()


def written(text):
    """The last cell of each row of the page's tables, by the setting's name."""
    return dict(re.findall(r"^\| `(\w+)`(?:<br>.*)? \|.*\| ([^|\n]*) \|$", text, re.M))


def rendered(text):
    """The page with its tables made anew; what is written by hand stays."""
    notes = written(text)
    for heading, rows in groups().items():
        lines = HEAD + [
            "| {} | {} |".format(" | ".join(cells(row)), notes.get(row.name) or row.help)
            for row in rows
        ]
        section = re.compile(rf"(^### {re.escape(heading)}\n[^#]*?)(?:^\|.*\n)+", re.M)
        assert section.search(text), f"the page has no table below {heading!r}"
        text = section.sub(lambda found, lines=lines: found[1] + "\n".join(lines) + "\n", text, 1)
    return text

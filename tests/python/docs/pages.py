"""The documents as data: their text, their tables, their code.

Owns how a page is read. It knows the little Markdown that the documents use: pipe tables, blocks
indented by four blanks, fenced blocks with a language and a title, headings; it does not judge what
they say.
"""

import re
from dataclasses import dataclass

from support import ROOT


def text(name):
    """The text of a document: `README.md`, `docs/settings.md`."""
    return (ROOT / name).read_text()


def rows(name, heading=None):
    """The body rows of a document's tables as lists of cells; only below `heading`, if given."""
    found = []
    for line in section(name, heading).splitlines():
        if not line.startswith("|"):
            in_body = False
            continue
        if re.fullmatch(r"[|:\- ]+", line):
            in_body = True
        elif in_body:
            found.append([cell.strip() for cell in line.strip("|").split(" |")])
    return found


def section(name, heading=None):
    """The text from a heading to the next of its rank, or the whole document."""
    whole = text(name)
    if heading is None:
        return whole
    marks = heading.partition(" ")[0]
    assert f"\n{heading}\n" in whole, f"{name} has no {heading!r}"
    rest = whole.partition(f"\n{heading}\n")[2]
    return re.split(rf"^#{{1,{len(marks)}}} ", rest, maxsplit=1, flags=re.M)[0]


def blocks(name, heading=None):
    """The indented blocks of code, without their indentation."""
    found = re.findall(r"(?:^    .*\n|^\n(?=    ))+", section(name, heading), re.M)
    return [re.sub("^    ", "", block, flags=re.M).strip("\n") for block in found]


@dataclass(frozen=True)
class Fence:
    """A fenced block: its language, its title (a file's name, or None), its text."""

    language: str
    title: str
    text: str


def fences(name, heading=None):
    """The fenced blocks of a page, in order."""
    pattern = r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$'
    found = re.findall(pattern, section(name, heading), re.M | re.S)
    return [Fence(language, title or None, text) for language, title, text in found]


def files(name):
    """The files that a page shows: name to text."""
    return {each.title: each.text for each in fences(name) if each.title}


def typed(name):
    """The lines of a page's shell blocks."""
    shell = [each.text for each in fences(name) if each.language == "sh"]
    return "".join(shell).splitlines()


def commands(name, heading):
    """The lines of shell in the indented blocks below a heading, comments left out."""
    lines = "\n".join(blocks(name, heading)).splitlines()
    return [line.partition("  #")[0].rstrip() for line in lines if line.strip()]

"""The requests of tests/corpus, read the way its README describes them."""

import re
from dataclasses import dataclass, field

from support import ROOT

FOLDER = ROOT / "tests" / "corpus"

ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|\\)")


@dataclass
class Expected:
    """One block of a `.expect` file: an accepted request, or, with `status`, the refusal."""

    lines: dict = field(default_factory=dict)
    fields: list = field(default_factory=list)

    @property
    def status(self):
        """The refusal's status, or None."""
        return int(self.lines["status"]) if "status" in self.lines else None


@dataclass
class Case:
    """One file: what is sent, and what must come of it, in order."""

    name: str
    sent: bytes
    expected: list

    def __repr__(self):
        return self.name


def cases():
    """Every case of the corpus, by name."""
    return [_case(path) for path in sorted(FOLDER.glob("*/*.http"))]


def _case(path):
    blocks = [Expected()]
    for line in path.with_suffix(".expect").read_text("ascii").splitlines():
        if line.startswith("#"):
            continue
        if not line.strip():
            blocks.append(Expected())
            continue
        word, _, rest = line.partition(" ")
        rest = ESCAPE.sub(_unescape, rest)
        if word == "field":
            blocks[-1].fields.append(
                tuple(rest.split(": ", 1)) if ": " in rest else (rest[:-1], "")
            )
        else:
            blocks[-1].lines[word] = rest
    expected = [block for block in blocks if block.lines]
    return Case(f"{path.parent.name}/{path.stem}", path.read_bytes(), expected)


def _unescape(found):
    return "\\" if found[1] == "\\" else chr(int(found[1][1:], 16))

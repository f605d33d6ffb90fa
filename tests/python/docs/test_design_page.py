"""docs/design.md is true of the source: the files it names, and the two rules of the house."""

import re

from docs.pages import text
from support import ROOT

SOURCE = ROOT / "src"

#: What each room may use; itself goes without saying.
ROOMS = {
    "http": set(),
    "py": set(),
    "ev": set(),
    "sys": set(),
    "app": {"http", "py", "sys", "config", "queue"},
    "server": {"http", "py", "ev", "sys", "app", "config", "queue"},
}

#: Where unsafe code may stand; lib.rs and app/mod.rs hold no code.
ISLANDS = ("py/", "ev/", "sys/", "capi.rs", "lib.rs", "app/mod.rs")


def test_imports_point_down():
    for room, below in ROOMS.items():
        for path in (SOURCE / room).rglob("*.rs"):
            used = set(re.findall(r"\bcrate::(\w+)", path.read_text()))
            used -= {room}
            assert used <= below, f"{path.relative_to(SOURCE)} uses {used - below}"


def test_unsafe_code_is_forbidden_above_the_islands():
    for path in SOURCE.rglob("*.rs"):
        name = str(path.relative_to(SOURCE))
        if not name.startswith(ISLANDS):
            assert "#![forbid(unsafe_code)]" in path.read_text(), name
    for name in ("lib.rs", "app/mod.rs"):
        code = [line for line in (SOURCE / name).read_text().splitlines() if "unsafe" in line]
        assert not code, name


def test_the_files_that_it_names_are_there():
    named = re.findall(r"`((?:src|fapws|tests)/[\w/.]+)`", text("docs/design.md"))
    assert len(named) > 30
    for name in named:
        assert (ROOT / name).exists(), name

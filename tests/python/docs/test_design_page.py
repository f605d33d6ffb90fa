"""docs/design.md is true of the source: the files it names, and the rules of the house."""

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
    "app": {
        "http", "py", "sys", "config", "dialect", "queue", "outbox", "server_log",
    },
    "server": {
        "http", "py", "ev", "sys", "app", "config", "dialect", "queue", "outbox",
        "scoreboard", "access_log", "networks", "server_log",
        "every_order",  # for a model, in tests
    },
    "scoreboard": {"sys"},
    "access_log": {"http", "py"},
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


#: The functions of libc that islands call beside `sys`: what libev and CPython need.
SYSTEM_CALLS = {
    "ev": {"fcntl", "fstat", "sigaction", "pthread_atfork", "_exit"},
    "py": {"pause", "fwrite", "fflush", "dlsym"},
}


def test_system_calls_are_made_in_sys():
    called = {room: set() for room in SYSTEM_CALLS}
    for path in SOURCE.rglob("*.rs"):
        room = path.relative_to(SOURCE).parts[0]
        code = re.sub(r"#\[cfg\(test\)\]\s*mod tests.*", "", path.read_text(), flags=re.S)
        code = re.sub(r"//.*", "", code)
        functions = set(re.findall(r"\blibc::([a-z_]\w*)\(", code))
        if room in called:
            called[room] |= functions
        elif room != "sys":
            assert not functions and "use libc" not in code, f"{path} calls {functions}"
    assert called == SYSTEM_CALLS


def test_the_files_that_it_names_are_there():
    named = re.findall(r"`((?:src|fapws|tests)/[\w/.]+)`", text("docs/design.md"))
    assert len(named) > 30
    for name in named:
        assert (ROOT / name).exists(), name

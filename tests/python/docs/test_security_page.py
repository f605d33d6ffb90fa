"""docs/security.md names a test for each defence, and each of them exists."""

import re

from docs.pages import rows
from support import ROOT

PAGE = "docs/security.md"


def test_each_defence_has_a_test():
    defences = rows(PAGE, "## Defended here")
    assert len(defences) >= 20
    tested = rows(PAGE, "## Where it is tested")
    assert [row[0] for row in tested] == [row[0] for row in defences]
    for against, tests in tested:
        assert re.findall(r"`[^`]+::[^`]+`", tests), against


def test_each_test_exists():
    for _, tests in rows(PAGE, "## Where it is tested"):
        for file, name in re.findall(r"`([^`]+)::([^`]+)`", tests):
            folder = ROOT / ("src" if file.endswith(".rs") else "tests/python")
            definition = rf"\bfn {name}\(" if file.endswith(".rs") else rf"\bdef {name}\("
            assert re.search(definition, (folder / file).read_text()), f"{file}::{name}"

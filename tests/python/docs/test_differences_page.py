"""docs/differences.md has every row of the tests' tables and every place that bears a tag."""

import re
import sys

import pytest
from docs.pages import rows, section
from legacy.differences import TABLE
from support import ROOT

PAGE = "docs/differences.md"
FIXED = ["## Fixed in the core", "## Fixed in the package"]


def tagged(tag):
    """The files of the project that bear a tag."""
    folders = [(ROOT / "src").rglob("*.rs"), (ROOT / "fapws").rglob("*.py")]
    files = [path for folder in folders for path in folder]
    return {str(path.relative_to(ROOT)) for path in files if tag in path.read_text()}


def named(*headings):
    """The source files that the page names below these headings."""
    content = "".join(section(PAGE, heading) for heading in headings)
    return set(re.findall(r"`((?:src|fapws)/[\w/.]+\.\w+)`", content))


@pytest.fixture
def differences(monkeypatch):
    """The table that the package's tests hold against the original."""
    monkeypatch.syspath_prepend(str(ROOT / "tests/python/package"))
    yield __import__("differences").DIFFERENCES
    sys.modules.pop("differences")


def test_each_row_of_the_packages_table_is_there(differences):
    """Each case is named; how the page says why is its own."""
    listed = {tuple(cells[:2]) for cells in rows(PAGE, "## Fixed in the package")}
    assert listed == {(f"`{module}`", case.replace("_", " ")) for module, case, _ in differences}


def test_each_row_of_the_cores_table_is_there():
    cells = [row[0] for row in rows(PAGE, "## Appendix: case by case")]
    listed = [case for cell in cells for case in cell.split("; ")]
    assert sorted(listed) == sorted(row.name for row in TABLE)


@pytest.mark.parametrize(
    "tag, headings", [("DIFFERS(fapws3)", FIXED), ("COMPAT(fapws3)", ["## Kept"])]
)
def test_each_tagged_place_is_there(tag, headings):
    assert tagged(tag) == named(*headings)

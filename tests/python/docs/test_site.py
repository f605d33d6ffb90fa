"""`make docs`: every page is in the site, and every link leads somewhere (mkdocs is strict)."""

import html.parser
import json
import re
import shutil
import subprocess

import pytest
from docs.pages import fences, text
from support import ROOT
from support.environment import copy_of_sources

PAGES = sorted(path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md"))


class Links(html.parser.HTMLParser):
    """What a page links to and loads."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        names = {"a": "href", "link": "href", "script": "src", "img": "src"}
        value = dict(attrs).get(names.get(tag, ""))
        if value:
            self.found.append((tag, value))


@pytest.mark.long(9)
@pytest.mark.skipif(not shutil.which("make"), reason="no make on this machine")
def test_the_site(tmp_path):
    clone = copy_of_sources(tmp_path / "clone")
    # The tools stay from one run to the next; the copy has the pages alone.
    tools = ROOT / ".venv-docs"
    made = subprocess.run(
        ["make", "docs", f"WRITER={tools}"],
        cwd=clone, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )
    assert made.returncode == 0, made.stdout
    site = clone / "build" / "docs"
    for page in PAGES:
        text = (site / page.with_suffix(".html")).read_text()
        for tag, link in Links(text).found:
            outside = link.startswith(("http:", "https:"))
            # Reading a page loads nothing from elsewhere.
            assert not outside or tag == "a", (page, link)
            path = link.partition("#")[0].partition("?")[0]
            if path and not outside:
                assert ((site / page).parent / path).exists(), (page, link)
    index = json.loads((site / "search" / "search_index.json").read_text())
    found = {entry["location"].partition("#")[0] for entry in index["docs"]}
    assert {str(page.with_suffix(".html")) for page in PAGES} <= found | {"index.html"}


def test_no_code_is_wider_than_its_column():
    for page in PAGES:
        for fence in fences(f"docs/{page}"):
            for line in fence.text.splitlines():
                # Output and commands may scroll; what is read should not.
                assert len(line) <= 79 or fence.language in ("sh", "text"), (page, line)


def test_the_name_of_a_file_is_in_the_words_before_it():
    # A forge does not show the title of a block.
    for page in PAGES:
        before = ""
        for part in re.split(r"^(```.*)$", text(f"docs/{page}"), flags=re.M):
            title = re.match(r'```\w+ title="(.*)"', part)
            if title:
                assert f"`{title.group(1)}`" in before, (page, title.group(1))
            before = part if not part.startswith("```") else before

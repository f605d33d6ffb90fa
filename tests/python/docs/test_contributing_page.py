"""docs/contributing.md names commands, files and tests that are there."""

import re
import shlex
import subprocess

from docs.pages import text, typed
from support import ROOT

PAGE = "docs/contributing.md"


def test_the_words_of_make_are_there():
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text(PAGE), re.M))
    assert len(named) > 3
    for word in named:
        assert re.search(rf"^{word}:", makefile, re.M), word


def test_one_test():
    words = shlex.split(next(line for line in typed(PAGE) if "-m pytest" in line))
    outcome = subprocess.run(
        [*words, "--collect-only", "-q"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    assert "test_response_splitting" in outcome.stdout
    (word,) = [line.split()[-1] for line in typed(PAGE) if line.startswith("cargo test")]
    tests = [path for path in (ROOT / "src").rglob("*.rs") if word in path.name]
    assert any("#[test]" in path.read_text() for path in tests)


def test_the_files_that_it_names_are_there():
    named = re.findall(r"`((?:src|tests)/[\w/.-]+)`", text(PAGE))
    assert len(named) > 5
    for name in named:
        assert (ROOT / name).exists(), name

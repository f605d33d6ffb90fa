"""The source distribution is complete: it has every file of the project but its own machinery."""

import subprocess
import tarfile

import pytest
from support import ROOT
from support.environment import source_distribution

#: What stays behind: files of git and of the forge.
LEFT_OUT = (".gitignore", ".github/", "sample/.gitignore")


@pytest.fixture(scope="module")
def packed(python3, tmp_path_factory):
    """The names in the archive, relative to its top folder."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(source_distribution(python3, folder)) as tar:
        return {name.partition("/")[2] for name in tar.getnames()}


def test_every_file_that_git_has_is_there(packed):
    if not (ROOT / ".git").exists():
        pytest.skip("no clone: this machine has only the sources")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    ).stdout.split("\0")
    wanted = {name for name in listed if name and (ROOT / name).exists()}
    missing = {name for name in wanted - packed if not name.startswith(LEFT_OUT)}
    assert len(wanted) > 200
    assert missing == set()


def test_no_file_of_this_machine_is_there(packed):
    made = (".so", ".pyc", ".orig")
    assert [name for name in packed if name.endswith(made) or name.startswith(".venv")] == []

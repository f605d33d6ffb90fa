"""What packagers do: build from the source distribution with vendored crates, off the network."""

import os
import subprocess
import tarfile

import pytest
from docs.pages import typed
from support import ROOT
from support.environment import run
from support.process import clean_environment


@pytest.fixture
def unpacked(python3, tmp_path):
    """The source distribution, unpacked."""
    words = ["setup.py", "-q", "egg_info", "--egg-base", tmp_path, "sdist", "--dist-dir", tmp_path]
    run(python3.python, *words, cwd=ROOT)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path)
    return archive.with_name(archive.name[: -len(".tar.gz")])


@pytest.mark.slow
def test_cargo_vendor(python3, unpacked, tmp_path):
    commands = typed("docs/contributing.md")
    vendor, build = (
        [line for line in commands if word in line][0] for word in ("cargo vendor", "OFFLINE")
    )
    script = f"set -e\nmkdir .cargo\n{vendor}\n"
    subprocess.run(["sh", "-c", script], cwd=unpacked, check=True, capture_output=True)
    assert build == "CARGO_NET_OFFLINE=true python3 setup.py build_ext --inplace"
    # A home without the crates that other builds have fetched.
    home = {"CARGO_HOME": str(tmp_path / "cargo"), "RUSTUP_HOME": rustup_home()}
    env = clean_environment({"CARGO_NET_OFFLINE": "true", **home})
    env.pop("CARGO_TARGET_DIR", None)
    run(python3.interpreter.executable, *build.split()[2:], cwd=unpacked, env=env)
    assert len(list((unpacked / "fapws").glob("_evwsgi*.so"))) == 1


def rustup_home():
    """Where rustup keeps its toolchains, which a changed CARGO_HOME must not hide."""
    return os.environ.get("RUSTUP_HOME", os.path.expanduser("~/.rustup"))

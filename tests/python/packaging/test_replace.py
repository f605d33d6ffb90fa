"""`python2.7 -m fapws.replace`: flat, as an egg, vendored; what it rejects; the way back."""

import re
import shutil
import subprocess

import pytest
from support import ROOT
from support.environment import Environment
from support.pristine import search_paths
from support.process import clean_environment

CORE, ORIGINAL = "_evwsgi.so", "_evwsgi.so.original"


@pytest.fixture
def clone(python2, tmp_path):
    """The project's folder after `python2.7 setup.py build_ext --inplace`: what of it is used."""
    folder = tmp_path / "clone"
    shutil.copytree(ROOT / "fapws", folder / "fapws", ignore=shutil.ignore_patterns("*.so"))
    shutil.copy(python2.extension, folder / "fapws" / CORE)
    return folder


@pytest.fixture
def installed(pristine_built, tmp_path):
    """`installed(layout)` copies the original into a folder; returns that of the package."""

    def make(layout):
        packages = pristine_built.site_packages
        (metadata,) = packages.glob("fapws3-*.egg-info")
        folder = {
            "flat": tmp_path / "site-packages",
            "egg": tmp_path / "site-packages" / "fapws3-0.11.dev-py2.7-linux-x86_64.egg",
            "vendored": tmp_path / "site" / "lib",
        }[layout]
        shutil.copytree(packages / "fapws", folder / "fapws")
        if layout == "flat":
            shutil.copytree(metadata, folder / metadata.name)
        elif layout == "egg":
            shutil.copytree(metadata, folder / "EGG-INFO")
        return folder / "fapws"

    return make


@pytest.fixture
def replace(clone, pristine_built):
    """`replace(*words, path=FOLDER)` runs the command in the clone: its code, stdout, stderr."""

    def run(*words, path=None, python=pristine_built.interpreter.executable):
        env = clean_environment({"PYTHONPATH": str(path or "")})
        command = [python, "-m", "fapws.replace", *map(str, words)]
        outcome = subprocess.run(
            command, cwd=clone, env=env, capture_output=True, text=True, check=False
        )
        return outcome.returncode, outcome.stdout, outcome.stderr

    return run


def whose(path):
    """Whose core a file is, by what the other does not have."""
    return "ours" if b"FAPWS_DIALECT" in path.read_bytes() else "original"


def files(package):
    """Path to content of what lies in the package."""
    return {
        path: path.read_bytes()
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


@pytest.mark.parametrize("layout", ["flat", "egg", "vendored"])
def test_there_and_back(installed, replace, layout):
    package = installed(layout)
    before = files(package)
    vendored = layout == "vendored"
    words, path = ([package.parent], None) if vendored else ([], package.parent)

    code, said, _ = replace(*words, path=path)
    assert code == 0 and f"put this core at {package / CORE}" in said
    assert ("--back" in said) and (str(package.parent) in said.splitlines()[-1]) == vendored
    assert whose(package / CORE) == "ours" and whose(package / ORIGINAL) == "original"
    changed = {path for path, content in files(package).items() if before.get(path) != content}
    assert changed == {package / CORE, package / ORIGINAL}

    code, said, _ = replace(*words, path=path)
    assert code == 0 and "already" in said

    code, said, _ = replace(*words, "--back", path=path)
    assert code == 0 and "put the original core back" in said
    assert files(package) == before
    code, said, _ = replace(*words, "--back", path=path)
    assert code == 0 and "already" in said


def test_a_newer_build_replaces_ours_and_keeps_the_original(installed, replace, clone):
    package = installed("flat")
    replace(path=package.parent)
    kept = (package / ORIGINAL).read_bytes()
    with open(clone / "fapws" / CORE, "ab") as core:
        core.write(b"a later build")
    code, _, _ = replace(path=package.parent)
    assert code == 0
    assert (package / CORE).read_bytes().endswith(b"a later build")
    assert (package / ORIGINAL).read_bytes() == kept


def test_a_left_over_original_does_not_hide_the_one_in_use(installed, replace):
    package = installed("flat")
    (package / ORIGINAL).write_bytes(b"init_evwsgi of long ago")
    in_use = (package / CORE).read_bytes()
    code, said, _ = replace(path=package.parent)
    assert code == 0 and "was another file" in said
    assert (package / ORIGINAL).read_bytes() == in_use


def test_a_changed_ident_is_known_by_its_metadata(installed, replace):
    package = installed("egg")
    config = package / "config.py"
    config.write_text(config.read_text().replace("fapws3/0.11", "my shop"))
    assert replace(path=package.parent)[0] == 0
    assert whose(package / CORE) == "ours"


@pytest.fixture
def rejected(replace):
    """`rejected(package, *words)`: the reason; what lies there is as it was."""

    def run(package, *words, **options):
        before = files(package)
        code, said, reason = replace(*words, **{"path": package.parent, **options})
        assert (code, said) == (1, "")
        assert reason.startswith("fapws.replace: nothing is changed: ") and reason.count("\n") == 1
        assert files(package) == before
        return reason

    return run


class TestRejected:
    """What would not work is not begun."""

    def test_no_installation(self, replace, tmp_path):
        code, _, reason = replace()
        assert code == 1 and "imports no other fapws" in reason and "FOLDER" in reason
        code, _, reason = replace(tmp_path)
        assert code == 1 and f"{tmp_path} contains no package fapws" in reason

    def test_another_version(self, installed, rejected):
        package = installed("flat")
        config = package / "config.py"
        config.write_text(config.read_text().replace("fapws3/0.11", "fapws3/0.9"))
        assert "is Fapws3 0.9; this core is for the Python files of 0.11" in rejected(package)

    def test_an_unknown_version(self, installed, rejected):
        package = installed("vendored")
        config = package / "config.py"
        config.write_text(config.read_text().replace("fapws3/0.11", "my shop"))
        assert "does not say which Fapws3 it is" in rejected(package)

    def test_a_core_that_does_not_serve(self, installed, rejected, clone):
        package = installed("flat")
        core = clone / "fapws" / CORE
        core.write_bytes(core.read_bytes()[:100_000])
        assert "a trial with the files of" in rejected(package)

    def test_files_that_do_not_serve(self, installed, rejected):
        package = installed("flat")
        base = package / "base.py"
        base.write_text(base.read_text().replace("def update_headers", "def update_heads"))
        assert "a trial with the files of" in rejected(package)

    def test_no_core_of_ours(self, installed, rejected, clone):
        package = installed("flat")
        (clone / "fapws" / CORE).unlink()
        assert "python2.7 setup.py build_ext --inplace" in rejected(package)

    def test_no_core_of_theirs(self, installed, rejected):
        package = installed("flat")
        (package / CORE).unlink()
        assert "it is not compiled" in rejected(package)

    def test_no_way_back(self, installed, replace, rejected):
        package = installed("flat")
        replace(path=package.parent)
        (package / ORIGINAL).unlink()
        assert "there is no " in rejected(package, "--back")
        shutil.copy(package / CORE, package / ORIGINAL)
        assert "is not the original's core" in rejected(package, "--back")

    def test_a_zipped_egg(self, installed, replace, tmp_path):
        package = installed("egg")
        egg = shutil.make_archive(tmp_path / "zipped", "zip", package.parent)
        code, _, reason = replace(path=egg)
        assert code == 1 and "is a zipped egg" in reason

    def test_python_3(self, installed, rejected, python3):
        reason = rejected(installed("flat"), python=python3.interpreter.executable)
        assert "runs only on Python 2" in reason


@pytest.fixture
def ours_with_a_left_over(python2, pristine_built, tmp_path):
    """Our package where `pip install .` put it, over an original whose core had been replaced."""
    package = tmp_path / "site-packages" / "fapws"
    shutil.copytree(python2.site_packages / "fapws", package)
    shutil.copy(pristine_built.extension, package / ORIGINAL)
    return package


def test_the_way_back_under_our_package_is_pips(ours_with_a_left_over, rejected):
    reason = rejected(ours_with_a_left_over, "--back")
    assert "pip install fapws3==0.11.dev" in reason
    assert "can be deleted" in rejected(ours_with_a_left_over)


def test_an_original_core_under_our_package_is_put_right(
    ours_with_a_left_over, replace, pristine_built
):
    package = ours_with_a_left_over
    (package / ORIGINAL).rename(package / CORE)
    program = "import fapws._evwsgi; from fapws import base"
    python = pristine_built.interpreter.executable
    outcome = subprocess.run(
        [python, "-c", program], env=clean_environment({"PYTHONPATH": str(package.parent)}),
        cwd=package.parent, capture_output=True, text=True, check=False,
    )
    assert "is the core of Fapws3 0.11, which does not work" in outcome.stderr
    code, said, _ = replace(path=package.parent)
    assert code == 0 and "put this core at" in said
    assert whose(package / CORE) == "ours" and not (package / ORIGINAL).exists()


def test_the_way_back_of_the_package(python2, pristine_built, tmp_path):
    """`pip install fapws3==0.11.dev` over ours, with what step 1 of the migration left behind."""
    environment = Environment(python2.interpreter, tmp_path / "venv").create()
    (wheel,) = (ROOT / "build/tests" / python2.name / "dist").glob("*.whl")
    environment.pip("install", "--no-index", "--no-deps", wheel)
    package = environment.site_packages / "fapws"
    shutil.copy(pristine_built.extension, package / ORIGINAL)
    ident = "__import__('fapws.config').config.SERVER_IDENT"
    assert environment.evaluate(ident) == "'fapws3/1.01'"
    page = (ROOT / "docs/migration.md").read_text()
    (command,) = re.findall(r"^    python2\.7 -m pip (.* fapws3==0\.11\.dev)$", page, re.M)
    variables = dict(re.findall(r"\b(C_INCLUDE_PATH|LD_LIBRARY_PATH)=([^ `]+)", page))
    assert len(variables) == 2
    # The values are Debian's on amd64; the test finds libev wherever this machine has it.
    environment.pip(*command.split(), env=search_paths())
    assert environment.evaluate(ident) == "'fapws3/0.11'"
    assert whose(package / CORE) == "original"
    assert not (package / "replace.py").exists()

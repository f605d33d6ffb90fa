"""Runs the scripts of `parity` on the original Fapws3 and on ours, and compares what comes out.

The original runs on Python 2.7 from its unpacked source: none of the scripts needs a core. Ours is
the installed package, on each interpreter under test. `differences.py` lists what may differ.
"""

import functools
import json
import pathlib
import tempfile

import pytest
from differences import DIFFERENCES
from programs import output_of

pytestmark = pytest.mark.each_major

PARITY = pathlib.Path(__file__).parent / "parity"
SCRIPTS = sorted(path.stem for path in PARITY.glob("*.py") if path.stem != "observe")

#: A pickle is read by the other, not the same to the byte: `test_records_are_read_by_the_other`.
NOT_COMPARED = {("sessions", "record")}


@functools.lru_cache(maxsize=None)
def outcomes(environment, script, package=None, record=None):
    """What a script prints in an environment; `package` takes precedence over the installed one."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [PARITY / f"{script}.py", folder]
        if record is not None:
            arguments.append(pathlib.Path(folder, "record.json"))
            arguments[-1].write_text(record)
        printed = output_of(environment, arguments, folder, package=package)
    return json.loads(printed.replace(folder, "FOLDER"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_scripts_differ_where_they_mean_to(interpreter, python2, pristine, script):
    theirs = outcomes(python2, script, pristine)
    ours = outcomes(interpreter, script)
    assert sorted(theirs) == sorted(ours)
    meant = {case for name, case, _ in DIFFERENCES if name == script}
    different = {case for case in theirs if theirs[case] != ours[case]}
    different -= {case for name, case in NOT_COMPARED if name == script}
    unmeant = {case: (theirs[case], ours[case]) for case in different - meant}
    assert not unmeant, "the original's outcome, then ours"
    assert different == meant, "rows of differences.py that are no difference"


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_pythons_agree(interpreter, python2, script):
    """What ours does on Python 2.7 it does on each, but for how libraries spell things."""
    first, second = outcomes(python2, script), outcomes(interpreter, script)
    for case in first:
        if (script, case) not in NOT_COMPARED:
            assert spelled(first[case]) == spelled(second[case]), case


def spelled(outcome):
    """An outcome, an empty cookie's value always bare."""
    return json.dumps(outcome, sort_keys=True).replace('=\\"\\";', "=;")


def test_records_are_read_by_the_other(interpreter, python2, pristine):
    """A session's record, written by one, has the same data for the other."""
    theirs = outcomes(python2, "sessions", pristine)
    ours = outcomes(interpreter, "sessions")
    data, _ = theirs["data"]
    for record in (theirs["record"], ours["record"]):
        text = json.dumps(record)
        assert outcomes(interpreter, "sessions", record=text) == data
        assert outcomes(python2, "sessions", record=text) == data
    assert outcomes(python2, "sessions", pristine, record=json.dumps(ours["record"])) == data


def test_each_row_has_its_case():
    """A row of the table names a script and a case that are there, once."""
    rows = [(script, case) for script, case, _ in DIFFERENCES]
    assert len(set(rows)) == len(rows)
    for script, case in rows:
        assert f"def {case}():" in (PARITY / f"{script}.py").read_text()

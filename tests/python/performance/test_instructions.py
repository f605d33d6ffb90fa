"""A request's price in instructions, held below bounds: a slow-down is seen without a clock.

The counts are callgrind's, of one more request (tests/bench/instructions.py), and move by less
than a thousandth from run to run, but for the monitor's looks. A change that makes a request dearer
than its bound says why where it raises it; one that makes it cheaper lowers it.
"""

import shutil
import sys

import pytest
from support import ROOT, unavailable

sys.path.insert(1, str(ROOT / "tests" / "bench"))

import install
import instructions
import servers


@pytest.fixture(autouse=True)
def _valgrind():
    if not shutil.which("valgrind"):
        unavailable("valgrind is not installed: nothing counts instructions")


#: Scenario -> instructions in our shared object, and in all of user space. Under callgrind, where
#: a request takes fifty times as long, the monitor's looks are 30 of them, and more on a machine
#: that is busy.
STANDARD = {
    "hello": (5_450, 12_200),
    "browser": (5_500, 12_800),
    "cold": (17_800, 37_300),
    "post": (6_200, 31_000),
    "generator": (13_700, 30_000),
    "file": (7_900, 59_900),
    "form-read": (7_300, 40_000),
}
LEGACY = {"legacy-hello": (11_500, 48_000), "legacy-post": (271_000, 907_000)}


def _hold(site, server, scenario, bounds):
    cost = instructions.per_request(site, server, instructions.SCENARIOS[scenario])
    ours, all_of_it = bounds
    assert 0 < cost.core <= ours, f"{cost.core:,.0f} in the core"
    assert cost.core < cost.total <= all_of_it, f"{cost.total:,.0f} in all"


@pytest.mark.long(5)
@pytest.mark.parametrize("scenario", STANDARD)
def test_a_request_costs_no_more(python3, scenario):
    site = install.Site(python3.python)
    _hold(site, servers.OURS, scenario, STANDARD[scenario])


@pytest.mark.long(5)
@pytest.mark.usefixtures("pristine_built")
@pytest.mark.parametrize("scenario", LEGACY)
def test_a_legacy_request_costs_no_more(scenario, tmp_path):
    site = install.legacy_site(servers.SWAPPED, tmp_path / "swapped")
    _hold(site, servers.SWAPPED, scenario, LEGACY[scenario])

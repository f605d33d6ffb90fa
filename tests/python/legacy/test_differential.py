"""The same requests to the same application, over the original and over our core: all that can be
seen from outside is the same, save what differences.py lists.

Seen are the bytes on the wire, the environ that the application saw (keys, values, types) and what
its base module's classes were given, what was printed on stdout and stderr, and whether the server
lived. FAPWS_TEST_SEED is another seed for the random part.
"""

import os
import re

import pytest
from legacy.cases import matrix, random_cases
from legacy.differences import TABLE, fixed
from legacy.observation import ANSWERED, Driver

SEED = int(os.environ.get("FAPWS_TEST_SEED", "1"))
#: How many random ones; those of the matrix are some thousands.
RANDOM_CASES = [1000, pytest.param(2500, marks=pytest.mark.slow)]

#: Seconds after which the original counts as stuck. It hurts nobody when it was only slow: then
#: ours must answer, and that is all.
PATIENCE_WITH_THE_ORIGINAL = 1.0
PATIENCE = 20.0

STATUS_LINE = re.compile(rb"HTTP/1\.0 \d{3} [ -~]+\r\n")


@pytest.fixture(scope="module", params=RANDOM_CASES)
def cases(request):
    """Every case, in order."""
    return [*matrix(), *random_cases(SEED, request.param)]


@pytest.fixture(scope="module")
def seen_of_the_original(cases, original, tmp_path_factory):
    """What the original did, case by case."""
    return observe(original, tmp_path_factory, cases, PATIENCE_WITH_THE_ORIGINAL)


@pytest.fixture(scope="module")
def seen_of_ours(cases, dropped_in, tmp_path_factory):
    """What our core did under the original's Python files."""
    return observe(dropped_in, tmp_path_factory, cases, PATIENCE)


def observe(site, tmp_path_factory, cases, patience):
    """All cases through one site."""
    with Driver(site, tmp_path_factory.mktemp(site.name), patience) as driver:
        return [driver.observe(case) for case in cases]


def did_not_live_to_answer(seen):
    """Whether a server crashed, or neither answered nor closed the connection."""
    left_by_itself = seen.death is not None and seen.death >= 0
    return seen.ending != ANSWERED and not left_by_itself


@pytest.mark.long(30)
def test_ours_does_what_the_original_does(
    cases, seen_of_the_original, seen_of_ours, record_testsuite_property
):
    failures, crashes, rows_met = [], [], set()
    for case, theirs, ours in zip(cases, seen_of_the_original, seen_of_ours):
        expected, rows = fixed(case, theirs)
        rows_met.update(row.name for row in rows)
        if did_not_live_to_answer(expected):
            crashes.append(case.name)
            if ours.ending != ANSWERED or not (not ours.wire or STATUS_LINE.match(ours.wire)):
                failures.append(f"{case}: ours does not answer where the original crashed: {ours}")
        elif ours != expected:
            failures.append(difference(case, rows, expected, ours))
    record_testsuite_property("the original crashed on", ", ".join(crashes))
    assert not failures, f"{len(failures)} of {len(cases)} cases differ:\n" + "\n".join(
        failures[:20]
    )
    # A row that no case meets says nothing about either server.
    assert {row.name for row in TABLE} == rows_met
    # These are known to crash it; were there none, crashes would not be seen for what they are.
    assert len(crashes) >= 20


def difference(case, rows, expected, ours):
    """One failure, as text."""
    lines = [f"{case} {case.request[:100]!r} (known: {[row.name for row in rows]})"]
    for part in ("ending", "death", "wire", "stdout", "stderr"):
        wanted, found = getattr(expected, part), getattr(ours, part)
        if wanted != found:
            lines.append(f"  {part}: {wanted!r:.400}\n  {' ' * len(part)}  {found!r:.400}")
    if expected.records != ours.records:
        lines += records_that_differ(expected.records, ours.records)
    return "\n".join(lines)


def records_that_differ(wanted, found):
    """Each record's differing parts, as lines."""
    if [record["kind"] for record in wanted] != [record["kind"] for record in found]:
        yield f"  records: {[r['kind'] for r in wanted]}\n           {[r['kind'] for r in found]}"
        return
    for one, other in zip(wanted, found):
        for part in one:
            if isinstance(one[part], list) and isinstance(other.get(part), list):
                only_one = [item for item in one[part] if item not in other[part]]
                only_other = [item for item in other[part] if item not in one[part]]
                if only_one or only_other:
                    yield f"  {one['kind']}.{part}: {only_one!r:.300}\n    {only_other!r:.300}"
            elif one[part] != other.get(part):
                yield f"  {one['kind']}.{part}: {one[part]!r:.300}\n    {other.get(part)!r:.300}"

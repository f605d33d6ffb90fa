"""Fixtures of the legacy dialect's tests: programs started on our core and on the original.

`start_ours("app.py", ...)` starts a program of tests/apps/legacy on each form our core comes in:
dropped into the original's Python files (Python 2.7), and in our own package, in its legacy
dialect, on every interpreter under test. `start_any` does the same and adds the original itself: a
test that takes it states what both do. A test takes `start_ours` where the original fails, and says
how.
"""

import functools

import pytest
from support import environment, interpreters

from legacy.recording import Program, dropped_in_site, original_site, package_site


def pytest_generate_tests(metafunc):
    """Run a test that takes `site`, directly or not, once for each site there is."""
    if "site" not in metafunc.fixturenames:
        return
    sites = [f"package-{each.name}" for each in interpreters.chosen_for(metafunc.definition)]
    if any(each.version[0] == 2 for each in interpreters.selected()):
        sites.insert(0, "dropped-in")
        if "start_any" in metafunc.fixturenames:
            sites.insert(0, "original")
    metafunc.parametrize("site", sites, indirect=True, scope="session")


@pytest.fixture(scope="session")
def dropped_in(pristine, python2, tmp_path_factory):
    """The original's unmodified Python files over our core."""
    return dropped_in_site(pristine, python2, tmp_path_factory.mktemp("dropped-in"))


@pytest.fixture(scope="session")
def original(pristine_built):
    """The original itself."""
    return original_site(pristine_built)


@pytest.fixture(scope="session")
def site(request):
    """One of the sites, by its name."""
    if request.param in ("original", "dropped-in"):
        return request.getfixturevalue(request.param.replace("-", "_"))
    name = request.param.partition("-")[2]
    (chosen,) = (each for each in interpreters.selected() if each.name == name)
    return package_site(environment.installed(chosen))


@pytest.fixture
def start_ours(site, start_process):
    """`start_ours(app, *parameters, env=...)` starts a `Program` on our core."""
    return functools.partial(start_process, Program, site)


@pytest.fixture
def start_any(site, start_process):
    """The same, on the original too."""
    return functools.partial(start_process, Program, site)

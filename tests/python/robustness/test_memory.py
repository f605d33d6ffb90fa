"""Allocations that fail: an error of that request, not the server's end.

`_testcapi.set_nomemory(n, n + 1)` makes the interpreter's n-th allocation from then on fail, once.
The application sets it as the last thing it does, so what fails is the core's: of the result, of
the next request's environ, of its call. Every n from the first on is tried until one is reached
that no request of the kind gets to.

An application that raises is not among the kinds: the standard library's `traceback`, run alone
under such a hook, brings CPython 3.13.0 down by itself.
"""

import pytest
from support.client import ProtocolError
from standard.message import post, request

MOST = 120


#: Python 3.14 has no `find_loader` any more, Python 2.7 no `find_spec`.
HAS_HOOKS = "'_testcapi' in [module[1] for module in __import__('pkgutil').iter_modules()]"


@pytest.fixture
def starved(serve_probe, interpreter):
    """A server whose interpreter has the hook; those that were built without it are left out."""
    if interpreter.evaluate(HAS_HOOKS) == "False":
        pytest.skip("this Python has no _testcapi")
    if interpreter.evaluate("hasattr(__import__('_testcapi'), 'set_nomemory')") == "False":
        pytest.skip("this Python cannot make allocations fail")
    return serve_probe("starved.py")


@pytest.mark.parametrize(
    "raw",
    [
        request("/list?a=1", headers=[("Cookie", "a=b"), ("X-One", "1")]),
        request("/generator"),
        request("/write"),
        post("/body", b"a=1&b=2"),
        post("/body", b"x" * 70_000),
    ],
    ids=["list", "generator", "write", "body", "spooled"],
)
def test_every_allocation(starved, raw):
    """Two requests a connection: the first sets the hook, the second meets it as well."""
    for number in range(MOST):
        with starved.connect() as client:
            client.send(request(f"/starve?{number}"))
            try:
                assert client.response().status in (200, 500)
                client.send(raw)
                assert client.response().status in (200, 500)
            except (ProtocolError, ConnectionError):
                pass  # a connection may be the price
        # Without the hook all is as before.
        with starved.connect() as client:
            client.send(request("/relieve"))
            try:
                client.response()
            except (ProtocolError, ConnectionError):
                pass
        assert starved.alive, f"allocation {number}: {starved.wait().transcript}"
        assert starved.request(request("/list")).body == b"onetwo", f"allocation {number}"
    assert "panicked" not in starved.stderr

"""`fapws.params` is parsed when the application looks, and is a plain dict, however it looks."""

import urllib.parse

import pytest
from standard.message import post, request
from standard.probe import shared

FORM = [("Content-Type", "application/x-www-form-urlencoded")]


@pytest.fixture(scope="module")
def parameters(interpreter, tmp_path_factory):
    """A server of tests/apps/standard/parameters.py."""
    with shared(interpreter, "parameters.py", tmp_path_factory) as server:
        yield server


def test_every_way_of_looking_finds_a_plain_dict(parameters):
    ways = parameters.request(request("/ways")).body.decode().split()
    assert len(ways) > 60
    found = {}
    with parameters.connect() as client:
        for way in ways:
            for message in (
                request(f"/{way}?a=1&b=x&a=2"),
                post(f"/{way}?no=1", b"a=1&b=x&a=2", FORM),
                # Not whole at the first read: it is kept elsewhere meanwhile.
                post(f"/{way}", b"a=1&b=x&a=2", [*FORM, ("X-Long", "x" * 200)]),
            ):
                client.send(message)
                answer = client.response()
                found.setdefault((answer.status, answer.body.decode()), []).append(way)
    assert list(found) == [(200, "ok")], found


def test_a_form_that_comes_later_is_parsed_too(parameters):
    message = post("/items", b"a=1&b=x&a=2", FORM)
    with parameters.connect() as client:
        client.send(message[:-5])
        client.send(message[-5:])
        assert client.response().body == b"ok"


@pytest.mark.parametrize("sent", ["GET", "POST"])
def test_the_input_has_the_form_whoever_looks_first(parameters, sent):
    body = b"a=1&b=%20" if sent == "POST" else b""
    answer = parameters.request(request("/body?a=1&b=%20", sent, FORM, body))
    assert answer.body.decode().splitlines() == ["[('a', ['1']), ('b', [' '])]", "True"]


@pytest.mark.parametrize("fields", [0, 1, 5_000, 60_000])
def test_forms_of_any_length(parameters, fields):
    form = urllib.parse.urlencode([(f"f{number % 40_000}", "x" * 5) for number in range(fields)])
    answer = parameters.request(post("/large", form.encode(), FORM))
    assert answer.body.decode().splitlines() == [str(min(fields, 40_000)), str(fields)]


def test_nothing_that_nobody_looked_at_is_kept(parameters):
    """The class has a reference from each of its instances."""
    with parameters.connect() as client:

        def references(way):
            client.send(post(f"/{way}", b"a=1&b=2", FORM))
            return int(client.response().body)

        before = references("left-alone")
        for way in ("looked-at", "left-alone") * 200:
            references(way)
        assert references("left-alone") <= before + 2


def test_its_type_before_and_after(parameters, interpreter):
    before, after = parameters.request(request("/type?a=1")).body.decode().split()
    assert (before, after) == ("dict" if interpreter.major == 2 else "Params", "dict")
    # Nothing to be parsed.
    assert parameters.request(request("/type")).body == b"dict\ndict"

"""`wsgi.input` as the object that programs and the standard library take it for."""

from standard.message import post, request


def test_io_works_over_it(reentrant, interpreter):
    lines = reentrant.request(post("/input-object", b"one\ntwo\nlast")).body.decode().splitlines()
    prefix = "b" if interpreter.version[0] == 3 else ""
    assert lines == [
        f"{prefix}'one\\n'",
        f"{prefix}'two\\nlast'",
        r"['one\n', 'two\n', 'last']",
        *("3 e", "t"),
        "one|two|last",
        *("one", "t"),
        "0 False",
        "TypeError",
        "TypeError",
    ]


def test_each_request_has_its_own(reentrant):
    with reentrant.connect() as client:
        for _ in range(3):
            client.send(request("/two-inputs"))
            assert client.response().body == b"False 0"

"""The `Server` header: `config.SERVER_IDENT`, and none where that is empty or None."""

import pytest
from standard.message import request

TARGETS = ["/before", "/attributes", "/splitting-dict", "/nowhere"]


@pytest.mark.wire
def test_it_is_the_setting(serve):
    server = serve("hello.py", dialect="standard", config={"SERVER_IDENT": "mine/1.01"})
    assert server.get("/hello").every_header("Server") == ["mine/1.01"]


@pytest.mark.parametrize("ident", [None, ""])
def test_none(serve_probe, ident):
    config = {"SERVER_IDENT": ident}
    server = serve_probe("cookies.py", config=config)
    for target in TARGETS:
        response = server.request(request(target))
        assert response.header("Date"), target
        assert response.every_header("Server") == [], target
    malformed = server.request(b"nonsense\r\n\r\n")
    assert malformed.status == 400 and malformed.every_header("Server") == []
    replaced = serve_probe("own_base.py", config=config)
    assert replaced.request(request("/switch")).every_header("Server") == []
    own = replaced.request(request("/own"))
    assert own.header("X-Own") == "yes" and own.every_header("Server") == []


@pytest.mark.wire
def test_the_legacy_dialect_sends_it_empty(serve):
    server = serve("hello.py", dialect="legacy", config={"SERVER_IDENT": ""})
    assert server.get("/hello").every_header("Server") == [""]


def test_bottles_adapter_reads_its_end(interpreter):
    # `float(config.SERVER_IDENT[-2:]) > 0.4` decides there whether the port is passed as text.
    ident = interpreter.evaluate("__import__('fapws.config').config.SERVER_IDENT").strip("'")
    assert float(ident[-2:]) > 0.4

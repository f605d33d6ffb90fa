"""The file that an application returned is sent, or nothing: no other one that got its number."""

import pytest
from standard.message import request


@pytest.mark.parametrize("target", ["/header", "/tell"])
def test_a_file_that_is_closed_before_it_is_sent(serve_probe, dialect, target):
    server = serve_probe("closing_files.py", dialect=dialect)
    raw = server.exchange(request(target, headers=[("Connection", "close")]))
    _, _, body = raw.partition(b"\r\n\r\n")
    assert raw.startswith(b"HTTP/1.")
    assert b"bb" not in body

"""Results that are iterated although they look like something else: pipes, odd lists."""

import pytest
from standard.message import request


@pytest.mark.parametrize("target", ["/own-list", "/own-tuple"])
def test_a_sequence_with_its_own_iter_is_iterated(reentrant, target):
    assert reentrant.request(request(target)).body == b"own items"


@pytest.mark.parametrize("how", ["buffered", "raw", "wrapped"])
def test_a_pipe_is_sent_as_it_comes(reentrant, tmp_path, how):
    """The second line is written when the client has the first: who waits for more hangs."""
    received = tmp_path / "received"
    with reentrant.connect() as client:
        client.send(request(f"/pipe?{received};{how}"))
        assert client.read_until(b"first\n").startswith(b"HTTP/1.1 200 OK\r\n")
        received.touch()
        assert client.read_until(b"second\n")

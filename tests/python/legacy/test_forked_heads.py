"""A child that was forked while a head is rendered does not respond."""


def body_of(raw):
    assert raw.count(b"HTTP/1.0 ") == 1
    return raw.partition(b"\r\n\r\n")[2]


def test_a_fork_in_a_headers_value(start_ours):
    program = start_ours("forking.py")
    for _ in range(2):
        assert body_of(program.exchange(b"GET /value HTTP/1.0\r\n\r\n")) == b"body"


def test_a_fork_in_the_heads_own_str(start_ours):
    program = start_ours("forking.py")
    assert body_of(program.exchange(b"GET /prepare HTTP/1.0\r\n\r\n")) == b"prepared"
    assert body_of(program.exchange(b"GET /head HTTP/1.0\r\n\r\n")) == b"body"

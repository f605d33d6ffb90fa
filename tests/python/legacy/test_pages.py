"""The pages that the server makes itself, to the byte.

Every one of them is the same on the original, but for what a test says.
"""

import pytest

pytestmark = pytest.mark.each_major

IDENT = "reporter/0.11"
PAGES = {
    "not found": ("500 Not found", "Page not found", "</title>", "Page not found!!!"),
    "411": ("411 Length Required", "Length Required", "", "Length Required!!!"),
    "501": ("501 Not Implemented", "Not Implemented", "", "Not Implemented!!!"),
}


def page(name):
    """The bytes of a page."""
    status, title, closing, words = PAGES[name]
    return (
        f"HTTP/1.0 {status}\r\nContent-Type: text/html\r\nServer: {IDENT}\r\n\r\n"
        f"<html><head><title>{title}{closing}</head><body><p>{words}</p></body></html>"
    ).encode()


@pytest.mark.parametrize(
    ("name", "request_line", "headers"),
    [
        ("not found", b"GET /nowhere HTTP/1.1", b""),
        ("not found", b"HEAD /nowhere HTTP/1.1", b""),
        ("not found", b"POST /nowhere HTTP/1.1", b""),
        ("411", b"POST /echo HTTP/1.1", b""),
        ("411", b"POST /echo HTTP/1.0", b"Content-Type: text/plain\r\n"),
        ("501", b"PUT /echo HTTP/1.1", b""),
        ("501", b"PUT /nowhere HTTP/1.1", b""),
        ("501", b"get /echo HTTP/1.1", b""),
        ("501", b"Get /echo HTTP/1.1", b""),
        ("501", b"BREW /echo HTTP/1.1", b"Host: h\r\n"),
    ],
)
def test_a_page(start_any, name, request_line, headers):
    program = start_any("reporter.py", "stock")
    assert program.exchange(request_line + b"\r\n" + headers + b"\r\n") == page(name)


def test_options_lists_what_the_base_module_supports(start_any):
    for kind, methods in (("stock", ""), ("own", ", TRACE, PUT")):
        program = start_any("reporter.py", kind)
        for target in (b"/echo", b"/nowhere", b"*"):
            assert (
                program.exchange(b"OPTIONS " + target + b" HTTP/1.1\r\n\r\n")
                == (
                    f"HTTP/1.0 200 OK\r\nServer: {IDENT}\r\n"
                    f"Allow: GET, POST, HEAD, OPTIONS{methods}\r\nContent-Length: 0\r\n\r\n"
                ).encode()
            )


@pytest.mark.wire
@pytest.mark.parametrize(
    "data",
    [b"\x16\x03\x01\x02\x00\r\n\r\n", b"garbage\r\n\r\n", b"GET\r\n\r\n", b"GET /echo\r\n\r\n",
     b"GET /echo H\r\n\r\n", b"GET /echo \r\n\r\n", b"\r\n\r\n\r\n", b"    \r\n\r\n", b":\r\n\r\n",
     b"\0\0\0\0\r\n\r\n", b"GET /\0 HTTP/1.1\r\n\r\n"],
    ids=repr,
)  # fmt: skip
def test_garbage_gets_a_page_or_nothing(start_ours, data):
    # The original crashes on some of these, or answers from memory that it has given back.
    program = start_ours("reporter.py", "stock")
    with program.connect() as client:
        client.send(data)
        client.half_close()
        answer = client.read_to_end()
    if answer:
        assert answer.startswith(
            (
                b"HTTP/1.0 501 Not Implemented\r\nContent-Type: text/html\r\n",
                b"HTTP/1.0 500 Internal Server Error\r\nContent-Type: text/html",
            )
        )
    assert program.exchange(b"GET /nowhere HTTP/1.1\r\n\r\n") == page("not found")
    assert program.of_kind("call") == []

"""The requests of the differential test: a matrix and a seeded random part.

Owns: which bytes are sent, in which pieces, and to which kind of base module.
Does not own: what should come back (observation.py compares, differences.py explains).
Invariant: the same seed gives the same cases, on any machine and any Python 3.
"""

import random
from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True)
class Case:
    """One request on one connection."""

    name: str
    pieces: tuple
    half_close: bool = False
    base: str = "stock"

    @property
    def request(self):
        """All the bytes sent."""
        return b"".join(self.pieces)

    def __str__(self):
        return self.name


# ---------------------------------------------------------------- the parts of a request

METHODS = (b"GET", b"HEAD", b"POST", b"OPTIONS", b"PUT", b"get", b"TRACE")

TARGETS = {
    "plain": b"/echo",
    "slash": b"/echo/",
    "deep": b"/echo/a/b/c.html",
    "query": b"/echo?x=1",
    "repeated key": b"/echo/p?x=1&y=2&x=3",
    "plus": b"/echo/a+b?c+d=e+f",
    "percent": b"/echo/%41%62c%2f%2B?%41=%42%26&%3d=%3D",
    "lower hex": b"/echo/%c3%a9?%c3%a9=%e2%82%ac",
    "invalid percent": b"/echo/%zz%4?%zz=%4&a=%&b=%%41&c=%4",
    "raw non-ascii": b"/echo/caf\xc3\xa9/\xff?\xc3\xa9=\xe9",
    "two question marks": b"/echo/a?b=1?c=2",
    "doubled question mark": b"/echo/a??b=c",
    "empty query": b"/echo/a?",
    "odd query": b"/echo?&&a&=b&=&c==d&e=f=g",
    "semicolon query": b"/echo/a;p=1?b=1;c=2",
    "encoded NUL": b"/echo/a%00b?c%00d=e%00f",
    "encoded prefix": b"/%65cho",
    "question in the prefix": b"/que?stion/x?y=1",
    "shorter prefix": b"/ech",
    "longer word": b"/echoes?x=y",
    "registered twice": b"/same/x",
    "dots": b"/echo/../x/./y//z",
    "fragment": b"/echo/a#b?c=d#e",
    "upper case": b"/ECHO/x",
    "absolute": b"http://example.org/echo/x?y",
    "star": b"*",
    "nowhere": b"/nowhere?x=1",
    "root": b"/",
    "long": b"/echo/" + b"long/" * 1500 + b"?" + b"key=value&" * 800,
    "longer than a read": b"/echo?" + b"k=v&" * 12000,
}

HEADERS = {
    "none": b"",
    "host": b"Host: example.org:8080\r\n",
    "usual": (
        b"Host: example.org\r\nUser-Agent: Agent/1.0 (X11; U)\r\nAccept: text/html,*/*;q=0.8\r\n"
        b"Accept-Language: en\r\nCookie: a=b; c=d\r\nConnection: keep-alive\r\n"
    ),
    "repeated": b"X-A: 1\r\nHost: h\r\nX-A: 2\r\nx-a: 3\r\nCookie: a=1\r\nCookie: b=2\r\n",
    "empty value": b"X-Empty:\r\nHost: h\r\n",
    "blank value": b"X-Blank: \r\nX-Blanks:    \r\nHost: h\r\n",
    "leading blanks": b"X-A:    a\r\nX-B:b\r\nX-C: \tc\r\n",
    "trailing blanks": b"X-A: a  \r\nX-B: b\t\r\nX-C : c\r\n",
    "leading blank of a name": b"X-A: a\r\n  X-B: b\r\nX-C: c\r\n",
    "folded": b"X-A: a\r\n  folded\r\nX-C: c\r\n",
    "odd names": b"X_A: 1\r\nX.B: 2\r\nX C: 3\r\nx!#$%&'*+^`|~D: 4\r\n1: 5\r\n",
    "no name": b": value\r\nHost: h\r\n",
    "non-ascii": b"X-Caf\xc3\xa9: caf\xe9\r\nX-\xff: \x80\r\n",
    "control bytes": b"X-A: a\x01\x7f\x1b\r\nX-\x02: b\r\n",
    "bare LF in a value": b"X-A: a\nb\r\nHost: h\r\n",
    "bare LF in a name": b"Bad\nkey: V\r\nHost: h\r\n",
    "bare LF between": b"X-A: a\nX-B: b\r\nHost: h\r\n",
    "bare CR in a value": b"X-A: a\rX-B: b\r\nHost: h\r\n",
    "no colon": b"X-A: a\r\nno colon here\r\nX-B: b\r\n",
    "colons": b"X-A: a:b::c\r\nX-B::\r\nX-C: :\r\n",
    "many": b"".join(b"X-Header-%d: value %d\r\n" % (n, n) for n in range(100)),
    "long value": b"X-Long: " + b"v" * 20000 + b"\r\n",
    "long name": b"X-" + b"n" * 5000 + b": v\r\n",
    "longer than ours may be": b"X-Long: " + b"v" * (1 << 20) + b"\r\n",
    "length without a body": b"Content-Length: 0\r\n",
    "types without a body": b"Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n",
    "proxy": b"Proxy: http://example.org\r\nX-Forwarded-For: 10.0.0.1\r\nExpect: 100-continue\r\n",
}

VERSIONS = {
    "1.0": b"HTTP/1.0",
    "1.1": b"HTTP/1.1",
    "0.9": b"HTTP/0.9",
    "2.0": b"HTTP/2.0",
    "lower case": b"http/1.1",
    "other": b"GOPHER/1.1",
    "trailing blank": b"HTTP/1.1 ",
    "two digits": b"HTTP/1.10",
    "doubled": b"HTTP/1.1 HTTP/1.1",
    "short": b"H",
    "slash": b"/1.1",
    "four": b"x1.1",
    "empty": b"",
}

MULTIPART = (
    b'--boundary\r\nContent-Disposition: form-data; name="field"\r\n\r\nvalue\r\n'
    b'--boundary\r\nContent-Disposition: form-data; name="up"; filename="up.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nfirst line\r\nsecond line\r\n--boundary--\r\n"
)

FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"


def length(body):
    """The Content-Length line of a body."""
    return b"Content-Length: %d\r\n" % len(body)


def with_length(body, head=b""):
    """(head lines, body)."""
    return head + length(body), body


BODIES = {
    "no length": (b"", b""),
    "length 0": with_length(b""),
    "plain": with_length(b"some text"),
    "text": with_length(b"some text", b"Content-Type: text/plain\r\n"),
    "form": with_length(b"a=1&b=2&a=3", FORM),
    "form with escapes": with_length(b"a+b=%41%zz&c=d%26&%c3%a9=+&x", FORM),
    "empty form": with_length(b"", FORM),
    "form with charset": with_length(
        b"a=1", b"Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
    ),
    "form in upper case": with_length(
        b"a=1", b"Content-Type: APPLICATION/X-WWW-FORM-URLENCODED\r\n"
    ),
    "form in all but name": with_length(
        b"a=1", b"Content-Type: application/x-www-form-urlencodedish\r\n"
    ),
    "form after a blank": with_length(
        b"a=1", b"Content-Type:   application/x-www-form-urlencoded\r\n"
    ),
    "form and query": with_length(b"b=2", FORM),
    "length after type": (FORM + b"Content-Length: 3\r\nX-After: yes\r\n", b"a=1"),
    "empty type": with_length(b"a=1", b"Content-Type:\r\n"),
    "binary": with_length(bytes(range(256)) * 4, b"Content-Type: application/octet-stream\r\n"),
    "NUL in a form": with_length(b"a=1\0b&c=2", FORM),
    "head in a body": with_length(b"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde"),
    "longer than a read": with_length(b"0123456789" * 20000),
    "multipart": with_length(
        MULTIPART, b"Content-Type: multipart/form-data; boundary=boundary\r\n"
    ),
    "more than its length": (b"Content-Length: 4\r\n", b"abcdefgh"),
    "form with more than its length": (FORM + b"Content-Length: 3\r\n", b"a=1&b=2"),
    "length with zeros": (b"Content-Length: 0004\r\n", b"abcd"),
    "length with a sign": (b"Content-Length: +4\r\n", b"abcd"),
    "length with blanks": (b"Content-Length:    4  \r\n", b"abcd"),
    "length without a blank": (b"Content-Length:4\r\n", b"abcd"),
    "length after a tab": (b"Content-Length:\t4\r\n", b"abcd"),
    "lower-case length": (b"content-length: 4\r\n", b"abcd"),
    "mixed-case length": (b"Content-length: 4\r\n", b"abcd"),
    "upper-case length": (b"CONTENT-LENGTH: 4\r\n", b"abcd"),
    "lower-case form": (FORM.lower() + b"content-length: 3\r\n", b"a=1"),
    "negative length": (b"Content-Length: -4\r\n", b"abcd"),
    "length of letters": (b"Content-Length: abc\r\n", b"abcd"),
    "length with letters": (b"Content-Length: 4x\r\n", b"abcd"),
    "empty length": (b"Content-Length:\r\n", b"abcd"),
    "two lengths": (b"Content-Length: 4\r\nContent-Length: 4\r\n", b"abcd"),
    "two lengths, longer first": (b"Content-Length: 8\r\nContent-Length: 4\r\n", b"abcdefgh"),
    "two lengths, shorter first": (b"Content-Length: 4\r\nContent-Length: 8\r\n", b"abcdefgh"),
    "length in another name": (b"X-Content-Length: 2\r\nContent-Length: 4\r\n", b"abcd"),
    "chunked": (b"Transfer-Encoding: chunked\r\n", b"4\r\nabcd\r\n0\r\n\r\n"),
}

ANSWERS = (
    "list_of_one list_of_many tuple_of_many empty_list empty_tuple list_of_empty long_list "
    "list_of_long mixed_list mixed_tuple only_numbers binary_list unicode_list bytearray_list "
    "memoryview_list array_list closing_list closing_tuple closing_empty_list file long_file "
    "empty_file file_of_one_buffer file_partly_read file_after_readline file_at_end pipe_file "
    "bytes_io open_with_io string_io c_string_io closing_file buffer_list buffer file_like "
    "generator generator_without_start late_start iterator_of_list empty_generator "
    "empty_iterator generator_of_empty mixed_generator unicode_generator raises_first "
    "raises_later long_generator generator_of_long closing_iterator closing_empty_iterator "
    "old_style_iterator next_only old_style_next_only iterable misleading_next "
    "old_style_iterable sequence old_style_sequence dictionary close_raises "
    "close_is_no_function iterator_of_iterable string empty_string unicode bytearray memoryview "
    "none number truth real object class function no_start started_twice started_with_exc_info "
    "status_int status_words status_without_reason status_with_blank_reason header_values "
    "header_tuple header_generator header_unicode header_unicode_beyond_ascii header_high_bytes "
    "header_long header_longer header_many header_split header_bare_newline header_nul "
    "header_folded own_server_and_date headers_removed headers_replaced header_added cookie_set "
    "cookie_expires cookie_deleted start_response_described status_split value_error "
    "markup_error high_bytes_error unicode_error nul_error long_error stop_iteration "
    "keyboard_interrupt generator_exit old_style_error wrong_signature deep_error syntax_error "
    "str_raises prints prints_and_raises no_such_answer"
).split()


def request(method, target, version=b"HTTP/1.1", headers=b"", body=b""):
    """The bytes of a request."""
    return method + b" " + target + b" " + version + b"\r\n" + headers + b"\r\n" + body


# ---------------------------------------------------------------- the matrix


def matrix():
    """Every part against every other that it could meet."""
    yield from _methods_targets_headers()
    yield from _versions()
    yield from _starts()
    yield from _bodies()
    yield from _answers()
    yield from _pieces()
    yield from _cut_short()
    yield from _bases()
    yield from _exits()


def _methods_targets_headers():
    for method, (target_name, target), (headers_name, headers) in product(
        METHODS, TARGETS.items(), HEADERS.items()
    ):
        few = method in (b"GET", b"HEAD") or target_name in ("plain", "query", "nowhere")
        if few or headers_name in ("host", "empty value", "no colon"):
            yield Case(
                f"{method.decode()} {target_name} / {headers_name}",
                (request(method, target, headers=headers),),
            )


def _versions():
    for (name, version), method in product(VERSIONS.items(), METHODS):
        for headers in ("none", "usual"):
            yield Case(
                f"{method.decode()} version {name} / {headers}",
                (request(method, b"/echo/x?y=z", version, HEADERS[headers]),),
            )


def _starts():
    whole = request(b"GET", b"/echo/x?y=z", headers=HEADERS["host"])
    for name, start in {
        "blank line": b"\r\n",
        "two blank lines": b"\r\n\n",
        "blanks": b"   ",
        "line feeds": b"\n\n",
        "tab": b"\t",
    }.items():
        yield Case(f"start: {name}", (start + whole,))
    for name, line in {
        "two blanks before the target": b"GET  /echo/x HTTP/1.1",
        "two blanks before the version": b"GET /echo/x  HTTP/1.1",
        "no version": b"GET /echo/x",
        "method only": b"GET",
        "no target": b"GET  HTTP/1.1",
        "tab for a blank": b"GET\t/echo/x\tHTTP/1.1",
        "five words": b"GET /echo/x y HTTP/1.1 z",
        "garbage": b"\x16\x03\x01\x02",
        "colon first": b": GET / HTTP/1.1",
        "bare LF": b"GET /echo/x HTTP/1.1\nHost: h",
        "bare LF in the target": b"GET /echo/\nx HTTP/1.1",
        "folded": b"GET /echo/folded\r\n HTTP/1.1",
        "folded after a query": b"GET /echo/folded?x=y\r\n HTTP/1.1",
        "very short": b"G",
    }.items():
        for headers in ("none", "host"):
            yield Case(
                f"first line: {name} / {headers}", (line + b"\r\n" + HEADERS[headers] + b"\r\n",)
            )
    for name, data in {
        "only a blank line": b"\r\n\r\n",
        "only blanks": b"    \r\n\r\n",
        "all bare LF": b"GET /echo/x HTTP/1.1\nHost: h\n\n",
        "NUL in the first line": b"GET /echo/\0x HTTP/1.1\r\n\r\n",
        "NUL in a header": b"GET /echo/x HTTP/1.1\r\nX-A: a\0b\r\nX-B: c\r\n\r\n",
        "NUL first": b"\0GET / HTTP/1.1\r\n\r\n",
    }.items():
        yield Case(f"start: {name}", (data,), half_close=True)


def _bodies():
    for (name, (head, body)), target in product(BODIES.items(), ("plain", "query", "nowhere")):
        for method in (b"POST", b"GET", b"HEAD", b"PUT"):
            for around in ("none", "usual", "empty value"):
                yield Case(
                    f"{method.decode()} body {name} / {target} / {around}",
                    (request(method, TARGETS[target], headers=HEADERS[around] + head, body=body),),
                )


def _answers():
    for name, method in product(ANSWERS, (b"GET", b"HEAD", b"POST")):
        head, body = BODIES["form" if method == b"POST" else "no length"]
        yield Case(
            f"{method.decode()} answer {name}",
            (request(method, b"/answer/" + name.encode(), headers=head, body=body),),
        )


def _pieces():
    for name in ("form", "multipart", "binary"):
        head, body = BODIES[name]
        whole = request(b"POST", b"/echo/x?y=z", headers=HEADERS["host"] + head, body=body)
        for cut in range(1, min(len(whole), 400)):
            yield Case(
                f"pieces: {name} cut at {cut}",
                (whole[:cut], whole[cut:]),
                base="own" if name == "multipart" else "stock",
            )
        yield Case(
            f"pieces: {name} in bytes",
            tuple(bytes([byte]) for byte in whole[:300]) + ((whole[300:],) if whole[300:] else ()),
        )
    whole = request(b"GET", b"/echo/x?y=z", headers=HEADERS["usual"])
    for cut in range(1, len(whole)):
        yield Case(f"pieces: GET cut at {cut}", (whole[:cut], whole[cut:]))


def _cut_short():
    head, body = BODIES["form"]
    for method in (b"POST", b"GET"):
        whole = request(method, b"/echo/x?y=z", headers=HEADERS["host"] + head, body=body)
        for cut in range(0, len(whole), 3):
            yield Case(f"cut short: {method.decode()} at {cut}", (whole[:cut],), half_close=True)
    for name in ("no length", "form", "binary"):
        head, body = BODIES[name]
        for method in (b"POST", b"GET"):
            yield Case(
                f"half-closed: {method.decode()} {name}",
                (request(method, b"/echo", headers=head, body=body),),
                half_close=True,
            )


def _bases():
    for base, method in product(("own", "other"), METHODS + (b"PURGE",)):
        for target_name, target in TARGETS.items():
            yield Case(
                f"{base}: {method.decode()} {target_name}",
                (request(method, target, headers=HEADERS["usual"]),),
                base=base,
            )
    for base, (name, (head, body)) in product(("own", "other"), BODIES.items()):
        yield Case(
            f"{base}: POST body {name}",
            (request(b"POST", b"/echo?q=1", headers=head, body=body),),
            base=base,
        )
    for base, name in product(("own", "other"), ANSWERS):
        yield Case(
            f"{base}: answer {name}", (request(b"GET", b"/answer/" + name.encode()),), base=base
        )


def _exits():
    for number in (0, 3):
        yield Case(f"exit {number}", (request(b"GET", b"/leave?%d" % number),))


# ---------------------------------------------------------------- the random part

_PIECES_OF_TARGET = (
    b"a",
    b"Z",
    b"/",
    b"//",
    b".",
    b"+",
    b"%41",
    b"%20",
    b"%2F",
    b"%zz",
    b"%",
    b"%4",
    b"?",
    b"&",
    b"=",
    b";",
    b"\xc3\xa9",
    b"%C3%A9",
    b"~",
    b"#",
    b"word",
    b"\x01",
    b'"',
)
_PIECES_OF_VALUE = (
    b"a",
    b" ",
    b"  ",
    b"\t",
    b":",
    b"\n",
    b"\xe9",
    b"value",
    b'"q"',
    b";",
    b",",
    b"=",
    b"\x7f",
    b"%41",
    b"+",
)
_PIECES_OF_NAME = (b"X", b"-", b"_", b"a", b"B", b"Name", b".", b" ", b"\xe9", b"1")


def random_cases(seed, count):
    """count cases of parts drawn at random, most of them nearly well-formed."""
    draw = random.Random(seed)
    for number in range(count):
        yield _random_case(draw, f"random {seed}:{number}")


def _some(draw, pieces, least, most):
    return b"".join(draw.choice(pieces) for _ in range(draw.randint(least, most)))


def _random_case(draw, name):
    method = draw.choice((b"GET", b"GET", b"POST", b"POST", b"HEAD", b"OPTIONS", b"PUT", b"PURGE"))
    if draw.random() < 0.4:
        target = b"/answer/" + draw.choice(ANSWERS).encode()
        if draw.random() < 0.3:
            target += b"?" + _some(draw, _PIECES_OF_TARGET, 0, 8)
    else:
        start = draw.choice((b"/echo", b"/echo/", b"/same", b"/ech", b"/", b""))
        target = (start + _some(draw, _PIECES_OF_TARGET, 0, 12)) or b"/"
    lines = []
    for _ in range(draw.randint(0, 6)):
        if draw.random() < 0.5:
            lines.append(draw.choice(list(HEADERS.values())))
        else:
            header = (
                b"X"
                + _some(draw, _PIECES_OF_NAME, 0, 5)
                + b":"
                + draw.choice((b"", b" ", b" "))
                + _some(draw, _PIECES_OF_VALUE, 0, 6)
                + b"\r\n"
            )
            lines.append(header)
    body = b""
    if method in (b"POST", b"PUT") or draw.random() < 0.1:
        body = _some(draw, _PIECES_OF_TARGET, 0, 20)
        if draw.random() < 0.5:
            lines.insert(draw.randint(0, len(lines)), FORM)
        if draw.random() < 0.9:
            lines.insert(draw.randint(0, len(lines)), length(body))
    version = draw.choice((b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9"))
    whole = request(method, target, version, b"".join(lines), body)
    cuts = sorted(draw.randrange(1, len(whole)) for _ in range(draw.choice((0, 0, 0, 1, 2))))
    pieces = tuple(whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)]) if a != b)
    return Case(name, pieces, base=draw.choice(("stock", "stock", "stock", "own", "other")))

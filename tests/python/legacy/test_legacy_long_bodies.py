"""Long bodies: memory does not grow with them, and the application gets them to the last byte.

The original has a body in memory whole, and writes it to `wsgi.input` at once. Ours does so up to
WHOLE bytes, so that a program's own object, as the original's parser of forms, sees no difference.
"""

import hashlib
import random

import pytest
from support.process import wait_until

pytestmark = pytest.mark.each_major

MEBI = 1 << 20

#: Bytes of a body that is handed on as the original did.
WHOLE = 16 * MEBI

#: config.body_memory.
MEMORY = 65536

KINDS = pytest.mark.parametrize("kind", ["stock", "derived", "kept", "pieces", "reader"])


def post(program, total, headers=b""):
    """Posts so many bytes; gives the response and the digest of what was sent."""
    block, digest = random.Random(1).randbytes(MEBI), hashlib.sha1()
    with program.connect() as client:
        client.send(b"POST /post HTTP/1.0\r\n%bContent-Length: %d\r\n\r\n" % (headers, total))
        while total > 0:
            piece = block[:total]
            digest.update(piece)
            client.send(piece)
            total -= len(piece)
        return client.read_to_end(), digest.hexdigest()


def taken(program, total, headers=b""):
    """The record of the call for such a body, which came whole."""
    response, digest = post(program, total, headers)
    assert response.startswith(b"HTTP/1.0 200 OK"), (response[:200], program.stderr)
    assert response.endswith(b"\r\n\r\n%d" % total)
    record = program.of_kind("call")[-1]
    assert record["digest"] == digest
    assert record["announced"] == total
    return record


@KINDS
def test_it_is_written_at_once_up_to_a_length(start_ours, kind):
    program = start_ours("uploads.py", kind)
    for total in (0, 1, MEMORY, MEMORY + 1, 3 * MEBI, WHOLE):
        record = taken(program, total)
        assert record["type"] != "Input"
        if record["sizes"]:
            assert (record["sizes"], record["positions"]) == ([total], [0])


@KINDS
def test_memory_does_not_grow_with_it(start_ours, kind):
    """By more than 8 MiB, unless the program keeps the body in memory itself."""
    program = start_ours("uploads.py", kind)
    taken(program, 200_000)
    records = []
    growth = program.peak_growth_kib(lambda: records.append(taken(program, 64 * MEBI)))
    (record,) = records
    if kind == "kept":
        assert record["type"] == "BytesIO"
    else:
        assert growth <= 8 << 10
        assert (record["type"] == "Input") == (kind in ("stock", "derived"))
    if record["sizes"]:
        assert set(record["sizes"]) == {65536}
        assert record["positions"] == [0]


@pytest.mark.parametrize("kind", ["stock", "derived", "pieces", "reader"])
def test_beyond_a_limit_of_memory(start_ours, kind):
    """More than can be had, where 96 MiB are left."""
    program = start_ours("uploads.py", kind, "96")
    taken(program, 120 * MEBI)


def test_what_a_program_keeps_in_memory_itself_costs_its_request_alone(start_ours):
    program = start_ours("uploads.py", "kept", "96")
    response, _ = post(program, 120 * MEBI)
    assert response.startswith(b"HTTP/1.0 500 Not found"), response[:200]
    taken(program, 1000)


def test_many_at_once_are_not_in_memory(start_ours):
    """Sixty that are not whole yet, of 4 MiB each."""
    program = start_ours("uploads.py", "stock")
    taken(program, 200_000)
    head, clients = b"POST /post HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % (4 * MEBI), []

    def begin():
        for _ in range(60):
            client = program.connect()
            clients.append(client)
            client.send(head, b"x" * (4 * MEBI - 1))

    # What is in the pool for fast ones is given up after a time.
    growth = program.peak_growth_kib(begin)
    assert growth <= 80 << 10
    for client in clients:
        client.send(b"x")
        assert client.read_to_end().endswith(b"\r\n\r\n%d" % (4 * MEBI))
        client.close()


def test_the_raw_header_has_a_body_that_is_short(start_ours):
    """DIFFERS(fapws3): of a longer body the original's has all, up to its first NUL."""
    program = start_ours("uploads.py", "stock")
    for total, is_shown in [(10, True), (MEMORY + 1, False)]:
        head = b"POST /post HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % total
        assert program.exchange(head, b"x" * total).endswith(b"\r\n\r\n%d" % total)
        raw = program.of_kind("call")[-1]["raw"]
        if is_shown:
            assert raw == (head + b"x" * total).decode()
        else:
            assert raw.startswith(head.decode()) and len(raw) < total


@pytest.mark.parametrize(
    ("length", "is_parsed"), [(3 * MEBI, True), (WHOLE, True), (WHOLE + 1, False)]
)
def test_a_form_is_parsed_up_to_a_length(start_ours, length, is_parsed):
    """DIFFERS(fapws3): a longer form can be read from wsgi.input only."""
    program = start_ours("uploads.py", "stock")
    head = (
        b"POST /post?q=12 HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: %d\r\n\r\n" % length
    )
    body = b"a=" + b"b" * (length - 2)
    assert program.exchange(head, body).endswith(b"\r\n\r\n%d" % length)
    params = program.of_kind("call")[-1]["params"]
    assert params == ({"a": length - 2} if is_parsed else {"q": 2})


def test_a_form_with_a_long_file(start_ours):
    """It goes to the package's parser; the original's knows whole bodies only."""
    program = start_ours("uploads.py", "form")
    content = bytes(random.Random(2).randbytes(MEBI)).replace(b"\r", b"-") + b"\r\n"
    body = (
        b'--edge\r\nContent-Disposition: form-data; name="file"; filename="upload.bin"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n" + content + b"--edge\r\n"
        b'Content-Disposition: form-data; name="word"\r\n\r\nsaid\r\n--edge--\r\n'
    )
    head = (
        b"POST /post HTTP/1.0\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    assert program.exchange(head, body).startswith(b"HTTP/1.0 200 OK")
    results = program.of_kind("form")[-1]["results"]
    assert results["word"] == ["said"]
    name, size = results["file"]
    assert size in (len(content), len(content) - 2)  # the original's has the delimiter's line end


def test_no_file_is_left_open(start_ours):
    program = start_ours("uploads.py", "stock")
    taken(program, 20 * MEBI)
    before = program.descriptors
    for _ in range(3):
        taken(program, 20 * MEBI)
    wait_until(lambda: program.descriptors <= before, "temporary files to be closed")

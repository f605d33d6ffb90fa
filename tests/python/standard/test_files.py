"""Files as answers: `wsgi.file_wrapper` and returned file objects, with and without `sendfile`."""

import os

import pytest
from support.client import ProtocolError
from support.process import wait_until
from standard.message import plan, request

KINDS = ["file", "unbuffered", "memory", "reader"]


@pytest.fixture(scope="session")
def sizes(tmp_path_factory):
    """Files by size: contents that tell their offset."""
    folder = tmp_path_factory.mktemp("files")
    made = {}
    for size in (0, 1, 8191, 8192, 8193, 300_000, 3_000_000):
        content = b"".join(b"%08d" % number for number in range(size // 8 + 1))[:size]
        (folder / str(size)).write_bytes(content)
        made[size] = (str(folder / str(size)), content)
    return made


def send(probe, method="GET", version="HTTP/1.1", **choices):
    return probe.request(request(plan("/file", **choices), method, version=version), method)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0, 1, 8191, 8192, 8193, 3_000_000])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_wrapped(probe, sizes, kind, size, version):
    path, content = sizes[size]
    assert send(probe, kind=kind, path=path, wrap=8192, version=version).body == content


# Of an unbuffered file Python reads byte by byte.
@pytest.mark.parametrize("kind, most", [("file", 3_000_000), ("unbuffered", 300_000),
                                        ("memory", 3_000_000)])  # fmt: skip
@pytest.mark.parametrize("size", [0, 8192, "most"])
def test_returned_as_it_is(probe, sizes, kind, most, size):
    path, content = sizes[most if size == "most" else size]
    assert send(probe, kind=kind, path=path).body == content


@pytest.mark.parametrize("kind", KINDS[:3])
@pytest.mark.parametrize("wrap", [{}, {"wrap": 4096}])
@pytest.mark.parametrize("seek", [1, 5000, 8192, 9000])
def test_from_the_current_offset(probe, sizes, kind, wrap, seek):
    """PEP 3333: transmission begins at the file's current position."""
    path, content = sizes[8192]
    assert send(probe, kind=kind, path=path, seek=seek, **wrap).body == content[seek:]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [0, 1, 8192, 100_000])
def test_bounded_by_the_promised_length(probe, sizes, kind, length):
    path, content = sizes[3_000_000]
    with probe.connect() as client:
        client.send(request(plan("/file", kind=kind, path=path, wrap=8192, length=length)))
        answer = client.response()
        assert answer.header("Content-Length") == str(length)
        assert answer.body == content[:length]
        client.send(request("/"))
        assert client.response().body == b"hello"


@pytest.mark.parametrize("kind", KINDS[:2])
def test_an_offset_and_a_length(probe, sizes, kind):
    """What a Range answer is made of."""
    path, content = sizes[3_000_000]
    answer = send(probe, kind=kind, path=path, seek=1_000_000, length=1_500_000, wrap=65536)
    assert answer.body == content[1_000_000:2_500_000]


@pytest.mark.parametrize("kind", KINDS)
def test_shorter_than_promised_closes(probe, sizes, kind):
    path, _ = sizes[8192]
    with probe.connect() as client:
        target = plan("/file", kind=kind, path=path, wrap=8192, length=10_000)
        client.send(request(target) + request("/"))
        with pytest.raises(ProtocolError, match="1808 bytes early"):
            client.response()


def test_a_pipe_has_no_size(probe, sizes):
    path, content = sizes[8192]
    for wrap in {}, {"wrap": 1000}:
        assert send(probe, kind="pipe", path=path, **wrap).body == content[:4096]


@pytest.mark.parametrize("kind", KINDS)
def test_head_of_a_file(probe, sizes, name, kind):
    path, content = sizes[8192]
    with probe.connect() as client:
        target = plan("/file", kind=kind, path=path, wrap=8192, length=8192, name=name)
        client.send(request(target, "HEAD") + request("/"))
        answer = client.response("HEAD")
        assert answer.header("Content-Length") == "8192"
        assert client.response().body == b"hello"
    if kind in ("reader", "unbuffered"):
        assert "close" in probe.eventually(name, lambda events: "close" in events)


@pytest.mark.parametrize("kind", ["reader", "unbuffered"])
def test_the_file_is_closed_once(probe, sizes, name, kind):
    path, content = sizes[8193]
    assert send(probe, kind=kind, path=path, wrap=8192, name=name).body == content
    events = probe.eventually(name, lambda events: "close" in events)
    assert events.count("close") == 1


@pytest.mark.parametrize("kind", ["reader", "unbuffered"])
def test_the_file_is_closed_when_the_client_goes(probe, sizes, name, kind):
    path, _ = sizes[3_000_000]
    client = probe.connect(receive_buffer=32768)
    client.send(request(plan("/file", kind=kind, path=path, wrap=8192, name=name)))
    client.read_until(b"\r\n\r\n")
    client.reset()
    events = probe.eventually(name, lambda events: "close" in events)
    assert events.count("close") == 1


def test_read_is_asked_for_the_block_size(probe, sizes, name):
    path, content = sizes[8192]
    assert send(probe, kind="reader", path=path, wrap=1000, name=name).body == content
    assert set(probe.journal(name)) <= {"read 1000", "close"}


def test_the_wrapper_can_be_iterated(probe, sizes):
    """PEP 3333: a middleware may do that instead of passing the wrapper on."""
    for kind in KINDS:
        path, content = sizes[8193]
        assert send(probe, kind=kind, path=path, wrap=1000, through=True).body == content


def test_files_leave_no_descriptors(probe, sizes):
    path, _ = sizes[8192]
    with probe.connect() as client:
        client.send(request("/"))
        client.response()
        before = probe.descriptors
        for _ in range(50):
            for kind in KINDS:
                client.send(request(plan("/file", kind=kind, path=path, wrap=8192)))
                client.response()
        # The last one may still be open for a moment after its answer.
        wait_until(lambda: probe.descriptors <= before, "the files to be closed")


def test_a_slow_reader_gets_the_whole_file(probe, sizes):
    path, content = sizes[3_000_000]
    with probe.connect(receive_buffer=32768) as client:
        client.send(request(plan("/file", path=path, wrap=8192)))
        assert client.response().body == content


def test_a_file_that_the_application_closes(probe, tmp_path):
    """Its descriptor becomes another file's while the client reads: that one is not sent."""
    lent, other = tmp_path / "lent", tmp_path / "other"
    lent.write_bytes(b"x" * 30_000_000)
    other.write_bytes(b"SECRET" * 5_000_000)
    with probe.connect(receive_buffer=32768) as client:
        client.send(request(f"/lend?{lent}"))
        head = client.read_until(b"\r\n\r\n")
        assert b"Content-Length: 30000000" in head
        assert probe.request(request(f"/swap?{other}")).body == b"same"
        assert client.read_exactly(30_000_000) == b"x" * 30_000_000


def test_a_file_whose_size_is_not_told(probe):
    """Files under /proc say 0, and have content."""
    for wrap in {}, {"wrap": 4096}:
        answer = send(probe, path="/proc/self/status", **wrap)
        assert b"\nVmRSS:" in answer.body


def test_a_file_that_shrinks_closes(probe, tmp_path):
    """The length was announced from its size; then it is truncated while it is being sent."""
    path = tmp_path / "shrinking"
    path.write_bytes(b"x" * 30_000_000)
    with probe.connect(receive_buffer=32768) as client:
        client.send(request(plan("/file", path=str(path), wrap=8192, length=30_000_000)))
        client.read_until(b"\r\n\r\n")
        os.truncate(path, 1000)
        assert len(client.read_to_end()) < 30_000_000
    assert probe.request(request("/")).body == b"hello"

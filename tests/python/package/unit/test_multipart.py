"""fapws.contrib.multipart: to the byte, in any pieces, linear, and never out of its folder."""

import itertools
import os
import random
import re
import subprocess
import sys

import pytest
from fapws.contrib.multipart import DiskStorage, DiskVersioning, MultipartFormData, Storage

EVERY_BYTE = bytes(bytearray(range(256)))


def part(disposition, content, *headers):
    """One part: the parameters of its Content-Disposition, its content, more header lines."""
    lines = [b"Content-Disposition: form-data; " + disposition]
    return b"\r\n".join(lines + list(headers)) + b"\r\n\r\n" + content


def form(*parts):
    """A body with the boundary AaB03x."""
    return b"--AaB03x\r\n" + b"\r\n--AaB03x\r\n".join(parts) + b"\r\n--AaB03x--\r\n"


def parse(body, basepath, size=None):
    """The parser, after it was given the body in pieces of a size."""
    parser = MultipartFormData(basepath)
    for start in range(0, len(body), size or max(1, len(body))):
        parser.write(body[start : start + size] if size else body)
    return parser


@pytest.fixture
def folder(tmp_path):
    """A folder to store in, below one that is watched for files that got out."""
    (tmp_path / "up").mkdir()
    yield str(tmp_path / "up") + "/"
    assert os.listdir(str(tmp_path)) == ["up"]


def stored(path):
    with open(path, "rb") as source:
        return source.read()


def test_fields_and_files(folder):
    body = form(
        part(b'name="field"', b"value"),
        part(b'name="file"; filename="a.txt"', EVERY_BYTE, b"Content-Type: text/plain"),
        part(b'name="field"', b"second"),
        part(b'name="typed"', b"{}", b"Content-Type: application/json"),
        part(b'name="none"; filename=""', b"", b"Content-Type: application/octet-stream"),
    )
    parser = parse(body, folder)
    parser.seek(0)
    assert parser.getvalue() is parser.results
    assert parser.results == {
        "field": ["value", "second"],
        "file": [folder + "a.txt", {"Content-Type": "text/plain", "size": 256}],
        "typed": ["{}", {"Content-Type": "application/json"}],
        "none": ["", {"Content-Type": "application/octet-stream"}],
    }
    assert stored(folder + "a.txt") == EVERY_BYTE
    assert sorted(parser.keys()) == sorted(parser.results)
    assert parser.get("field") == ["value", "second"]
    assert parser.get("missing") is None
    assert parser.boundary == "--AaB03x"
    assert all(type(name) is str for name in parser.results)


CONTENTS = [
    b"",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"-",
    b"--",
    b"-AaB03x",
    b"--AaB03y",
    b"\r\n--AaB03",
    b"\r\n--AaB03y",
    b"\r\n--AaB03x!",
    b"\r\n--AaB03x-",
    b"\r\n--AaB03x-\r\n",
    b"\r\n--AaB03x \t x\r\n",
    b"\r\n--AaB03x" + b" " * 300,
    b"\r\n--AaB03x\n",
    b"\n--AaB03x\r\n",
    b" \t spaces \t ",
    EVERY_BYTE * 3,
    b"\r\r\n\r\n\n" * 50,
]


@pytest.mark.parametrize("content", CONTENTS, ids=repr)
def test_content_is_kept_to_the_byte_in_any_pieces(folder, content):
    parts = [part(b'name="a"', content), part(b'name="f"; filename="f"', content)]
    body = form(*parts + [part(b'name="b"', b"!")])
    for size in [None, 1, 2, 3, 5, 11, 64]:
        results = parse(body, folder, size).results
        path, attributes = results["f"]
        assert stored(path) == content
        assert attributes == {"size": len(content)}
        assert results["a"] == [content if str is bytes else content.decode("latin-1")]
        assert results["b"] == ["!"]
        os.unlink(path)


def test_content_is_kept_in_random_pieces(folder):
    chance = random.Random(20240229)
    alphabet = [b"\r\n--AaB03x", b"\r", b"\n", b"-", b"\r\n", b"x", b" ", EVERY_BYTE]
    for _ in range(300):
        content = b"".join(chance.choice(alphabet) for _ in range(chance.randrange(30)))
        # What would end the part is no content.
        content = re.sub(b"\r\n--AaB03x(?=--|[ \t]*\r\n)", b"", content + b"|")
        body = form(part(b'name="f"; filename="f"', content))
        parser = MultipartFormData(folder)
        while body:
            size = chance.randrange(1, 40)
            parser.write(bytearray(body[:size]))
            body = body[size:]
        path, _ = parser.results["f"]
        assert stored(path) == content
        os.unlink(path)


def test_content_is_kept_across_large_writes(folder):
    content = os.urandom(3000000)
    for size in (None, 65536, 131072, 131073, 1000003):
        path = parse(form(part(b'name="f"; filename="f"', content)), folder, size).results["f"][0]
        assert stored(path) == content
        os.unlink(path)


FIELD = part(b'name="a"', b"1")


@pytest.mark.parametrize(
    "body, results",
    [
        (b"preamble\r\n\r\n--\r\n--B\r\n" + FIELD + b"\r\n--B--", {"a": ["1"]}),
        (b"--B\r\n" + FIELD + b"\r\n--B--epilogue\r\n--B\r\n\r\n\r\n--B--", {"a": ["1"]}),
        (b"--B \t\r\n" + FIELD + b"\r\n--B  \r\n\r\n\r\n--B--", {"a": ["1"]}),
        # RFC 2046: a part may have no content at all, not even its empty line.
        (b"--B\r\nContent-Disposition: form-data; name=a\r\n\r\n--B--", {"a": [""]}),
        (b"--B\r\n\r\n\r\n--B\r\n\r\nx\r\n--B\r\n" + FIELD + b"\r\n--B--", {"a": ["1"]}),
        (b"a=1&b=2", {}),
        (b"a=1\r\nb=2\r\n" * 1000, {}),
        (b"x" * 1000 + b"--B\r\n" + FIELD + b"\r\n--B--", {}),
        (b"--" + b"x" * 300 + b"\r\n" + FIELD, {}),
        (b"", {}),
        # Cut short: what is whole is there.
        (form(FIELD, part(b'name="b"', b"2"))[:-6], {"a": ["1"]}),
    ],
)
def test_the_frame(folder, body, results):
    for size in [None, 1, 7]:
        assert parse(body, folder, size).results == results


@pytest.mark.parametrize(
    "disposition, name, attributes",
    [
        (b'name="a b"', "a b", {}),
        (b"name=a", "a", {}),
        (b'NAME="a"', "a", {}),
        (b'name = "a" ; x=y', "a", {"x": "y"}),
        (b'name="a;b=c"', "a;b=c", {}),
        (b'name="a\\"b"', 'a"b', {}),
        (b'name="a\\b"', "a\\b", {}),
        (b'name="%22"', "%22", {}),
        (b'name=""', "", {}),
        (b'name="a"; name="b"', "b", {}),
    ],
)
def test_the_disposition(folder, disposition, name, attributes):
    results = parse(form(part(disposition, b"1")), folder).results
    assert results == {name: ["1", attributes] if attributes else ["1"]}


def test_the_headers(folder):
    body = form(part(b'name="a"', b"1", b"x-time: 10:30", b"nonsense", b"empty:"))
    assert parse(body, folder).results == {
        "a": ["1", {"x-time": "10:30", "nonsense": "", "empty": ""}]
    }


def test_a_part_without_a_name_is_dropped(folder):
    body = form(
        part(b'name="a"', b"1"), part(b'filename="f"', b"2"), b"Content-Type: a/b\r\n\r\n3"
    )
    assert parse(body, folder).results == {"a": ["1"]}
    assert os.listdir(folder) == []


@pytest.mark.parametrize(
    "given, kept",
    [
        (b"../../evil", "evil"),
        (b"/etc/evil", "evil"),
        (b"C:\\dir\\evil.txt", "evil.txt"),
        (b"..\\..\\evil", "evil"),
        (b"a/../b", "b"),
        (b"..", "unnamed"),
        (b".", "unnamed"),
        (b"a/", "unnamed"),
        (b"/", "unnamed"),
        (b"a\0b\x1f\x7f", "a_b__"),
        (b"%2e%2e%2fevil", "%2e%2e%2fevil"),
        (b"a;b=c.txt", "a;b=c.txt"),
        (b"x" * 500 + b".txt", "x" * 196 + ".txt"),
        (u"caf\xe9.txt".encode("utf-8"), u"caf\xe9.txt"),
        (b"\xff\xfe", None),
    ],
)
def test_a_file_name_never_leaves_the_folder(folder, given, kept):
    results = parse(form(part(b'name="f"; filename="' + given + b'"', b"1")), folder).results
    path, _ = results["f"]
    (listed,) = os.listdir(folder)
    assert path == os.path.join(folder, listed)
    assert stored(path) == b"1"
    if kept is not None:
        assert listed == (kept.encode("utf-8") if str is bytes else kept)


def test_the_folder_needs_no_slash(tmp_path):
    (tmp_path / "up").mkdir()
    body = form(part(b'name="f"; filename="a"', b"1"))
    assert parse(body, str(tmp_path / "up")).results["f"][0] == str(tmp_path / "up" / "a")
    assert os.listdir(str(tmp_path)) == ["up"]


def test_the_folder_is_the_current_one_by_default(folder, monkeypatch):
    monkeypatch.chdir(folder)
    parser = MultipartFormData()
    parser.write(form(part(b'name="f"; filename="a"', b"1")))
    assert parser.results["f"][0] == "./a"


@pytest.mark.parametrize(
    "name, versions",
    [
        (b"a.txt", ["a.txt", "a_1.txt", "a_2.txt"]),
        (b"my_file.txt", ["my_file.txt", "my_file_1.txt", "my_file_2.txt"]),
        (b"a_9", ["a_9", "a_10", "a_11"]),
        (b"a_007.b", ["a_007.b", "a_8.b", "a_9.b"]),
        (b".hidden", [".hidden", ".hidden_1", ".hidden_2"]),
    ],
)
def test_names_are_versioned(tmp_path, name, versions):
    # The folder's own name is none of the file's.
    (tmp_path / "up_x").mkdir()
    folder = str(tmp_path / "up_x/")
    body = form(part(b'name="f"; filename="' + name + b'"', b"1"))
    paths = [parse(body, folder).results["f"][0] for _ in versions]
    assert [os.path.basename(path) for path in paths] == versions


def test_a_link_in_the_folder_is_not_followed(folder, tmp_path):
    os.symlink("../out", folder + "dangling")
    os.mkdir(folder + "taken")
    for name, kept in [(b"dangling", "dangling_1"), (b"taken", "taken_1")]:
        body = form(part(b'name="f"; filename="' + name + b'"', b"1"))
        assert parse(body, folder).results["f"][0] == os.path.join(folder, kept)
    with pytest.raises((IOError, OSError)):
        DiskStorage().open(folder + "dangling")
    assert not (tmp_path / "out").exists()


def test_a_form_that_would_fill_memory_is_refused(folder):
    class Small(MultipartFormData):
        max_memory = 1000
        max_parts = 10

    for parts in (
        [part(b'name="a"', b"x" * 1000)],
        [part(b'name="' + b"a" * 1000 + b'"', b"")],
        [part(b'name="a"', b"x" * 500), part(b'name="b"', b"x" * 500)],
        [part(b"name=a", b"")] * 11,
    ):
        with pytest.raises(ValueError):
            Small(folder).write(form(*parts))
    fine = Small(folder)
    fine.write(form(*[part(b"name=a", b"")] * 9 + [part(b'name="f"; filename="f"', b"x" * 5000)]))
    assert len(fine.results["a"]) == 9


@pytest.mark.parametrize("size", [None, 100])
def test_a_head_without_end_is_refused(folder, size):
    with pytest.raises(ValueError):
        parse(b"--B\r\nA: " + b"x" * 400000, folder, size)


def test_the_storage_can_be_replaced(folder):
    class Memory(Storage):
        def open(self, attr):
            self.fpath = "memory:" + os.path.basename(attr)
            self.content = b""

        def write(self, data):
            assert type(data) is bytes
            self.content += data

    parser = MultipartFormData(folder)
    parser.filerepository = Memory()
    parser.write(form(part(b'name="f"; filename="f"', EVERY_BYTE)))
    assert parser.results == {"f": ["memory:f", {"size": 256}]}
    assert parser.filerepository.content == EVERY_BYTE
    assert parser.filerepository.fpath is None


def test_the_plain_storage_drops_content(folder):
    parser = MultipartFormData(folder)
    parser.filerepository = Storage()
    parser.write(form(part(b'name="f"; filename="f"', b"12"), part(b'name="a"', b"1")))
    assert parser.results == {"f": [None, {"size": 2}], "a": ["1"]}
    assert os.listdir(folder) == []


def test_disk_storage(folder):
    storage = DiskStorage()
    for name in ("", None):
        with pytest.raises(ValueError):
            storage.open(name)
    with pytest.raises(ValueError):
        storage.write(b"early")
    storage.close()
    for content in (b"long content", b"short"):
        storage.open(folder + "a")
        assert storage.fpath == folder + "a"
        storage.write(content)
        storage.close()
        assert storage.fpath is None
        assert stored(folder + "a") == content
    with pytest.raises(ValueError):
        storage.write(b"late")
    with pytest.raises(ValueError):
        DiskVersioning().open("")


def test_an_error_of_the_disk_is_reported(tmp_path):
    with pytest.raises((IOError, OSError)):
        parse(form(part(b'name="f"; filename="f"', b"1")), str(tmp_path / "missing/"))


LARGE = """
import resource, sys
from fapws.contrib.multipart import MultipartFormData

def peak():
    # Not ru_maxrss, in which the process that started this one counts.
    with open("/proc/self/status") as status:
        return int([line for line in status if line.startswith("VmHWM")][0].split()[1])

parser = MultipartFormData(sys.argv[1])
piece = bytes(bytearray(range(256))) * 256
parser.write(b'--B\\r\\nContent-Disposition: form-data; name="f"; filename="f"\\r\\n\\r\\n' + piece)
before = peak()
for _ in range(200 << 4):
    parser.write(piece)
print(peak() - before)
parser.write(b"\\r\\n--B--\\r\\n")
print(parser.results["f"][1]["size"])
"""


def test_an_upload_of_200_mib_costs_less_than_2_mib(folder):
    answer = subprocess.check_output([sys.executable, "-c", LARGE, folder])
    kibibytes, size = (int(word) for word in answer.split())
    assert size == (200 << 20) + 65536
    assert kibibytes < 2048


def test_work_grows_with_the_length_alone(folder):
    """Counts the steps of the interpreter, not seconds, for content that looks like delimiters."""

    def steps(length):
        body = form(part(b'name="f"; filename="f"', b"\r\n--AaB03x!" * length))
        counted = itertools.count()

        def trace(frame, event, argument):
            next(counted)
            return trace

        sys.settrace(trace)
        try:
            parser = parse(body, folder, 4096)
        finally:
            sys.settrace(None)
        os.unlink(parser.results["f"][0])
        return next(counted)

    assert steps(40000) < 11 * steps(4000)

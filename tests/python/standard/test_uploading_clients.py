"""Clients that others wrote, and that send all of a long body before they read: the response to
it reaches each of them, whether it comes before the body's end or after.

A client that this machine lacks is skipped, in continuous integration too.
"""

import http.client
import os
import shutil
import subprocess

import pytest
from standard.message import respond
from support import APPS, PATIENCE, ROOT
from support.environment import exclusive

CLIENTS = APPS / "clients"
MIB = 20
#: What a connection's buffers hold differs from one upload to the next.
TIMES = 5


def program(name):
    """The path of a client's program, or of what runs or compiles it."""
    return shutil.which(name) or pytest.skip(f"there is no {name} here")


def python(url, folder):
    """http.client of the Python that runs the tests."""
    host, _, target = url.partition("://")[2].partition("/")
    client = http.client.HTTPConnection(host, timeout=PATIENCE)
    client.request("POST", f"/{target}", bytes(MIB << 20))
    status = client.getresponse().status
    client.close()
    return str(status)


def node(url, folder):
    return output(program("node"), CLIENTS / "upload.js", url, MIB)


def go(url, folder):
    compiler = program("go")
    # Newer releases compile Go's own library first, which is kept from one run to the next.
    environ = {**os.environ, "GOCACHE": str(ROOT / "build/tests/go"), "GO111MODULE": "off"}
    compiled = folder / "upload"
    if not compiled.exists():
        with exclusive("go"):
            output(compiler, "build", "-o", compiled, CLIENTS / "upload.go", env=environ)
    return output(compiled, url, MIB)


def java(url, folder):
    if "jdk.compiler" not in output(program("java"), "--list-modules"):
        pytest.skip("this java is none that compiles")
    statuses = output("java", CLIENTS / "Upload.java", url, MIB, TIMES).split()
    assert len(statuses) == 3 * TIMES, statuses
    return " ".join(sorted(set(statuses)))


def wget(url, folder):
    words = ["-q", "-S", "-O", os.devnull, "--tries=1", f"--post-file={body(folder)}", url]
    printed = output(program("wget"), *words)
    return printed.split()[1] if printed.startswith("HTTP/") else printed


def curl(url, folder, *headers):
    words = ["-s", "-o", os.devnull, "-w", "%{http_code}", "--data-binary", f"@{body(folder)}"]
    return output(program("curl"), *words, *headers, url)


def curl_without_expect(url, folder):
    return curl(url, folder, "-H", "Expect:")


def body(folder):
    """A file of the upload's size."""
    path = folder / "body"
    if not path.exists():
        path.write_bytes(bytes(MIB << 20))
    return path


def output(*words, **options):
    """What a program prints, whatever its exit code."""
    answer = subprocess.run(
        [str(word) for word in words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
        **options,
    )
    return answer.stdout.strip()


@pytest.mark.wire
@pytest.mark.parametrize("sender", ["the server", "the application"])
@pytest.mark.parametrize(
    "upload",
    [python, node, go, java, wget, curl, curl_without_expect],
    ids=lambda each: each.__name__,
)
def test_the_response_to_a_long_upload_arrives(upload, sender, serve_probe, tmp_path):
    limit = MIB - 19 if sender == "the server" else 2 * MIB
    probe = serve_probe("probe.py", config={"max_body_size": limit << 20})
    target = respond(status="413 of the application", items=["too long"])
    url = "http://{}:{}".format(*probe.address) + target
    times = 1 if upload is java else TIMES
    assert [upload(url, tmp_path) for _ in range(times)] == ["413"] * times

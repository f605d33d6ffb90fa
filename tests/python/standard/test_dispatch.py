"""Which application a target leads to, and SCRIPT_NAME and PATH_INFO with it."""

import json

import pytest
from standard.message import post, request
from standard.refusal import assert_closing, assert_refused


@pytest.mark.wire
@pytest.mark.parametrize(
    "target, application, script, path, query",
    [
        ("/first", "/first", "/first", "", ""),
        ("/first/a", "/first", "/first", "/a", ""),
        ("/firstborn", "/first", "/first", "born", ""),
        ("/first?a=/second", "/first", "/first", "", "a=/second"),
        ("/first%2fa", "/first", "/first", "/a", ""),
        ("/second/deeper/a", "/second/deeper", "/second/deeper", "/a", ""),
        ("/second/a", "/second", "/second", "/a", ""),
        ("/quoted%20prefix/a%20b", "/quoted%20prefix", "/quoted%20prefix", "/a b", ""),
        ("http://other:80/first/a?b", "/first", "/first", "/a", "b"),
        ("http://first/first/a", "/first", "/first", "/a", ""),
        ("http://h/query?a=12?b", "/query?a=1", "/query?a=1", "2", "b"),
        ("/query?a=12?b", "/query?a=1", "/query?a=1", "2", "b"),
    ],
)
@pytest.mark.parametrize("app", ["prefixes.py", "fallback.py"])
def test_prefixes(serve_probe, app, target, application, script, path, query):
    """A plain prefix of the raw target, the first registered one that fits."""
    answer = serve_probe(app).request(request(target))
    assert answer.status == 200, answer
    seen = json.loads(answer.body)
    assert seen["application"] == application
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"], seen["QUERY_STRING"]) == (script, path, query)


@pytest.mark.wire
@pytest.mark.parametrize("target", ["/", "/other", "/firs", "/First", "/x/first", "/%66irst"])
def test_the_slash_is_the_empty_prefix(serve_probe, target):
    """PEP 3333: an application at the root has no name; every framework counts on that."""
    seen = json.loads(serve_probe("fallback.py").request(request(target)).body)
    assert (seen["application"], seen["SCRIPT_NAME"]) == ("/", "")
    assert seen["PATH_INFO"] == target.replace("%66", "f")


def test_the_generic_callback(serve_probe):
    """The last one registered wins, and gets what no prefix does, whatever the order."""
    probe = serve_probe("generic.py")
    seen = json.loads(probe.request(request("/other?q")).body)
    assert (seen["application"], seen["SCRIPT_NAME"]) == ("generic", "")
    assert (seen["PATH_INFO"], seen["QUERY_STRING"]) == ("/other", "q")
    assert json.loads(probe.request(request("/first")).body)["application"] == "/first"


@pytest.fixture
def one_file(serve_probe, tmp_path):
    """A server of one file; its content is `<p>one</p>`."""
    (tmp_path / "one.html").write_bytes(b"<p>one</p>")
    return serve_probe("one_file.py", env={"FILE": str(tmp_path / "one.html")})


@pytest.mark.parametrize(
    "target, status", [("/", 200), ("/?a=b", 200), ("/about/", 200), ("/other", 404)]
)
def test_a_file_under_the_slash(one_file, target, status):
    answer = one_file.request(request(target))
    assert (answer.status, answer.body) == (status, b"<p>one</p>" if status == 200 else b"")


def test_a_prefix_in_bytes(one_file):
    """As programs for the original's experimental Python 3 branch have it."""
    assert one_file.request(request("/bytes/a%20b")).body == b"/bytes|/a b"
    assert one_file.request(request("/bytesmore")).body == b"/bytes|more"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_not_found(serve_probe, method):
    answer = serve_probe("prefixes.py").request(request("/other", method))
    assert answer.status == 404
    assert b"nothing is served at this path" in answer.body
    assert_closing(answer)


@pytest.mark.wire
@pytest.mark.parametrize("target", ["http://first/p", "http://first", "http://second/deep?/first"])
def test_the_authority_leads_nowhere(serve_probe, target):
    """The client chooses it; a proxy that guards paths does not look at it."""
    assert serve_probe("prefixes.py").request(request(target)).status == 404


@pytest.mark.wire
@pytest.mark.parametrize("target", ["*", "http://probe"])
def test_options_of_the_server_with_a_body(serve_probe, target):
    """However the body comes: no application is asked for."""
    probe = serve_probe("prefixes.py")
    head = request(target, "OPTIONS", [("Content-Length", "5")])
    with probe.connect() as client:
        client.send(head + b"hello")
        assert client.response().status == 200
        client.send(head)
        probe.request(request("/first"))
        client.send(b"hello")
        assert client.response().status == 200
        client.send(request(target, "OPTIONS", [("Transfer-Encoding", "chunked")]))
        client.send(b"0\r\n\r\n")
        assert client.response().status == 200


@pytest.mark.wire
def test_not_found_before_the_body(serve_probe):
    """The refusal does not wait for a body that nobody will read; nor does the body become one."""
    probe = serve_probe("prefixes.py")
    assert_refused(probe, request("/other", "POST", [("Content-Length", "1000000")]), 404)
    assert_refused(probe, post("/other", request("/first") * 100), 404, follow=b"")


@pytest.mark.wire
def test_not_found_without_continue(serve_probe):
    probe = serve_probe("prefixes.py")
    with probe.connect() as client:
        headers = [("Expect", "100-continue"), ("Content-Length", "5")]
        client.send(request("/other", "POST", headers))
        assert client.response().status == 404
        assert client.read_to_end() == b""

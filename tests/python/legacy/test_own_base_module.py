"""A base module with classes of its own, and one that is changed while the server runs.

`Environ`, `Start_response`, `supported_HTTP_command`, `redirectStdErr` and the settings of
tracebacks are looked up by name at each request.
"""

import pytest
from support.client import parse_head

pytestmark = pytest.mark.each_major

STYLES = pytest.mark.parametrize("style", ["old", "new"])


def ask(program, target, method="GET", body=""):
    """(status line without the version, headers, body) of an answer."""
    length = f"Content-Length: {len(body)}\r\n" if method == "POST" else ""
    whole = program.exchange(f"{method} {target} HTTP/1.1\r\n{length}\r\n{body}".encode())
    head, blank, answer = whole.partition(b"\r\n\r\n")
    _, status, reason, headers = parse_head(head + blank)
    return f"{status} {reason}", dict(headers), answer


def change(program, name):
    """Let the program change its base module."""
    assert ask(program, "/do/" + name)[2] == b"done"


def seen(program):
    """The last call's environ, by key, with its record."""
    record = program.of_kind("call")[-1]
    return {key: value[1] for key, value in record["environ"]}, record


@STYLES
def test_an_environ_of_its_own_gets_each_update(start_any, style):
    program = start_any("base_module.py", style)
    change(program, "environ")
    assert ask(program, "/call/a%20b?c=d")[2] == b"called"
    environ, record = seen(program)
    assert [each[1] for each in environ["calls"]] == [
        "update_headers", "update_uri", "update_from_request"]  # fmt: skip
    assert environ["method"] == "GET"
    assert environ["PATH_INFO"] == "changed:/a b"
    assert [each[1] for each in environ["keys"]] == [
        "REMOTE_ADDR", "fapws.remote_addr", "fapws.remote_port", "fapws.socket_fd"]  # fmt: skip
    assert record["kind_of_environ"] == "Environ"
    assert sorted(environ) == ["PATH_INFO", "calls", "keys", "method"]


@STYLES
def test_a_body_is_written_to_the_input_that_is_there(start_any, style):
    program = start_any("base_module.py", style)
    change(program, "pieces")
    assert ask(program, "/call", "POST", "the body")[2] == b"called"
    kind = "str" if program.site.major == 2 else "bytes"
    calls = [["write", [kind, "the body"]], ["seek", ["int", "0"]]]
    assert seen(program)[1]["input"] == calls


def test_a_start_response_of_its_own_makes_the_head(start_any):
    program = start_any("base_module.py", "old")
    change(program, "start_response")
    assert ask(program, "/call") == ("200 OK", {"X-Keys": "Date,Server,X-Called"}, b"called")
    assert ask(program, "/do/nothing")[0] == "210 Own"
    assert seen(program)[1]["kind_of_start"] == "StartResponse"


def test_a_new_style_start_response_will_do(start_ours):
    # The original takes old-style classes only and answers 500 to every request.
    program = start_ours("base_module.py", "new")
    change(program, "start_response")
    assert ask(program, "/call") == ("200 OK", {"X-Keys": "Date,Server,X-Called"}, b"called")


@STYLES
def test_a_subclass_of_the_stock_start_response(start_any, style):
    program = start_any("base_module.py", style)
    change(program, "subclass")
    status, headers, _ = ask(program, "/call")
    assert (status, headers["X-Subclass"], headers["X-Called"]) == ("200 OK", "yes", "yes")
    assert "Date" in headers and "Server" in headers


def test_methods_are_added_and_removed_while_it_runs(start_any):
    program = start_any("base_module.py", "old")
    assert ask(program, "/call", "BREW")[0] == "501 Not Implemented"
    change(program, "brew")
    assert ask(program, "/call", "BREW")[2] == b"called"
    assert ask(program, "/call", "OPTIONS")[1]["Allow"] == "GET, POST, HEAD, OPTIONS, BREW"
    change(program, "no_options")
    assert ask(program, "/call", "OPTIONS")[0] == "501 Not Implemented"
    change(program, "another_list")
    assert ask(program, "/call", "LIST")[2] == b"called"
    assert ask(program, "/call", "POST")[0] == "501 Not Implemented"


def test_what_a_client_sees_of_a_traceback_is_read_at_each_failure(start_any):
    program = start_any("base_module.py", "old")
    assert b"ValueError: failed" in ask(program, "/fail")[2]
    change(program, "short")
    short = ask(program, "/fail")[2]
    assert short.startswith(b"<h1>Error</h1>") and b"ValueError" not in short
    change(program, "other_short")
    assert ask(program, "/fail")[2] == b"another text"
    change(program, "long")
    assert b"ValueError: failed" in ask(program, "/fail")[2]


@STYLES
def test_redirectStdErr_of_the_program_is_used(start_any, style):
    program = start_any("base_module.py", style)
    change(program, "redirect")
    body = ask(program, "/fail")[2]
    assert body.startswith(b"<h1>Error</h1><pre>own errors: Traceback (most recent call last):\n")
    assert body.endswith(b"ValueError: failed\n</pre>")


@STYLES
@pytest.mark.parametrize("changed", ["nothing", "redirect"])
def test_stderr_is_put_back(start_ours, style, changed):
    # The original leaves the buffer there for good.
    program = start_ours("base_module.py", style)
    change(program, changed)
    for _ in range(3):
        ask(program, "/fail")
    ask(program, "/stderr")
    assert [record["is_own"] for record in program.of_kind("stderr")] == [True] * 4


@pytest.mark.parametrize("changed", ["update_fails", "init_fails", "start_response_fails"])
def test_a_base_module_that_fails_costs_that_request_only(start_ours, changed):
    # The original exits, or goes on with an exception set.
    program = start_ours("base_module.py", "new")
    change(program, changed)
    for _ in range(3):
        assert ask(program, "/call")[0].startswith("500 ")
    assert program.alive
    assert program.of_kind("call") == []

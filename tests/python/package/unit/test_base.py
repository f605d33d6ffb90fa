"""fapws.base: what the core asks for, and what programs use of it."""

import datetime
import subprocess
import sys

import pytest
from fapws import base

SPLITTING = ["a\r\nX: y", "a\nb", "a\rb", "a\r", "a\n b", "a\0b", "a\r\n"]


def test_environ_holds_what_is_no_requests():
    environ = base.Environ({"ignored": 1}, also="ignored")
    environ.pop("wsgi.errors").write("text\n")
    body = environ.pop("wsgi.input")
    body.write(b"body")
    body.seek(0)
    assert body.read() == b"body"
    assert environ == {
        "wsgi.version": (1, 0),
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "fapws.params": {},
    }


def test_environ_takes_what_the_core_gives():
    environ = base.Environ()
    environ.update_headers({"REQUEST_METHOD": "GET"})
    environ.update_uri({"PATH_INFO": "x"})
    environ.update_from_request({"REMOTE_ADDR": "::1"})
    assert [environ[key] for key in ("REQUEST_METHOD", "PATH_INFO", "REMOTE_ADDR")] == [
        "GET",
        "x",
        "::1",
    ]


@pytest.mark.parametrize("stock", [base.Environ, base.Start_response])
def test_only_the_stock_class_is_marked_as_native(stock):
    class Replacement(stock):
        pass

    assert stock.__dict__["__fapws_native__"] is True
    assert "__fapws_native__" not in Replacement.__dict__


def test_start_response_begins_as_200():
    start_response = base.Start_response()
    assert str(start_response) == "HTTP/1.0 200 OK\r\n\r\n"
    assert start_response.exc_info is None
    assert start_response.cookies is None
    assert start_response.sent is False


def test_start_response_renders_the_head():
    start_response = base.Start_response()
    assert start_response("404 Not Found", [("A", "b"), ("A", "c")], ("info",)) is None
    start_response.add_header("Content-Length", 12)
    assert start_response.status_code == "404"
    assert start_response.status_reasons == "Not Found"
    assert start_response.exc_info == ("info",)
    assert start_response.response_headers == {"A": "c", "Content-Length": "12"}
    lines = str(start_response).split("\r\n")
    assert lines[0] == "HTTP/1.0 404 Not Found"
    assert sorted(lines[1:-2]) == ["A: c", "Content-Length: 12"]
    assert lines[-2:] == ["", ""]
    assert type(str(start_response)) is str


def test_headers_may_be_bytes_or_text():
    start_response = base.Start_response()
    start_response.add_header(u"Na", b"caf\xe9")
    (header,) = start_response.response_headers.items()
    assert header == ("Na", "caf\xe9")
    assert type(header[0]) is type(header[1]) is str


@pytest.mark.parametrize("value", SPLITTING)
def test_a_value_cannot_split_the_head(value):
    start_response = base.Start_response()
    for told in (
        lambda: start_response("200 " + value, []),
        lambda: start_response("200 OK", [("A", value)]),
        lambda: start_response("200 OK", [(value, "a")]),
        lambda: start_response.add_header("A", value),
        lambda: start_response.set_cookie("a", path=value),
        lambda: start_response.set_cookie("a", domain=value),
        lambda: start_response.set_cookie("a", expires=value),
        lambda: start_response.set_cookie("a", max_age=value),
    ):
        with pytest.raises(ValueError):
            told()
    assert start_response.response_headers == {}
    start_response.response_headers["A"] = value
    with pytest.raises(ValueError):
        str(start_response)


def test_a_folded_value_stays_one_header():
    start_response = base.Start_response()
    start_response.add_header("A", "b\r\n c\r\n\td")
    assert str(start_response) == "HTTP/1.0 200 OK\r\nA: b\r\n c\r\n\td\r\n\r\n"


def cookie_lines(start_response):
    """The head's cookies, each as a set of its parts in lower case."""
    lines = [line for line in str(start_response).split("\r\n") if line.startswith("Set-Cookie: ")]
    return [set(line[12:].lower().split("; ")) for line in lines]


def test_cookies_go_out_with_their_attributes():
    start_response = base.Start_response()
    start_response.set_cookie("a", "1", 60, "Thu, 01 Jan 2032 00:00:00 GMT", "/p", "d.org", True)
    start_response.set_cookie("b", "2")
    assert cookie_lines(start_response) == [
        {
            "a=1",
            "max-age=60",
            "expires=thu, 01 jan 2032 00:00:00 gmt",
            "path=/p",
            "domain=d.org",
            "secure",
        },
        {"b=2", "path=/"},
    ]


class FixedZone(datetime.tzinfo):
    def utcoffset(self, moment):
        return datetime.timedelta(hours=2)

    def dst(self, moment):
        return datetime.timedelta(0)


def test_expires_may_be_a_datetime():
    start_response = base.Start_response()
    moment = datetime.datetime(2032, 1, 1, 2, 0, 0, tzinfo=FixedZone())
    start_response.set_cookie("a", "1", expires=moment)
    local = datetime.datetime.fromtimestamp(1956528000)
    start_response.set_cookie("b", "1", expires=local)
    for cookie in cookie_lines(start_response):
        assert "expires=thu, 01 jan 2032 00:00:00 gmt" in cookie


def test_expires_may_be_nothing_else():
    with pytest.raises(base.CookieError):
        base.Start_response().set_cookie("a", "1", expires=1956528000)


def test_max_age_0_is_sent():
    """DIFFERS(fapws3): the original left it out, and the cookie stayed."""
    start_response = base.Start_response()
    start_response.set_cookie("a", "1", max_age=0)
    assert cookie_lines(start_response) == [{"a=1", "max-age=0", "path=/"}]


def test_a_cookie_is_deleted_for_the_path_it_was_set_for():
    """DIFFERS(fapws3): the original raised when no cookie was set, and sent no path."""
    start_response = base.Start_response()
    start_response.delete_cookie("a")
    start_response.set_cookie("b", "1", path="/p")
    start_response.delete_cookie("b")
    first, second = cookie_lines(start_response)
    assert first - {"a=", 'a=""'} == {"max-age=0", "path=/"}
    assert second - {"b=", 'b=""'} == {"max-age=0", "path=/p"}


def test_stderr_is_redirected_into_text(monkeypatch):
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    base.redirectStdErr()
    sys.stderr.write("a")
    assert sys.stderr.getvalue() == "a"
    assert base.sys is sys


def test_get_status():
    assert base.get_status(404) == "404 Not Found"
    with pytest.raises(KeyError):
        base.get_status(999)


def test_split_len():
    assert base.split_len("abcdefg", 3) == ["abc", "def", "g"]
    assert base.split_len([1, 2], 2) == [[1, 2]]
    assert base.split_len("", 2) == []


def test_parse_cookies():
    cookies = base.parse_cookies({"HTTP_COOKIE": 'a=1; b="2 3"'})
    assert (cookies["a"].value, cookies["b"].value) == ("1", "2 3")
    assert base.parse_cookies({}) is None
    assert base.parse_cookies({"HTTP_COOKIE": ""}) is None


def test_supported_commands_are_a_list_to_append_to():
    assert base.supported_HTTP_command == ["GET", "POST", "HEAD", "OPTIONS"]


def test_nothing_but_the_core_needs_the_core():
    program = """
import sys
sys.modules["fapws._evwsgi"] = None
import fapws.base
from fapws.contrib import cgiapp, django_handler, headers, log, multipart, sessions, views, zip
from fapws.contrib.siforms import forms, widgets
"""
    subprocess.check_call([sys.executable, "-c", program])

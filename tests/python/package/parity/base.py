"""The twin of fapws.base and fapws.config."""

import datetime
import sys

from observe import case, plain, report

from fapws import base, config

HEADERS = [("Content-Type", "text/plain"), ("X-Number", 5), ("X-Twice", "1"), ("X-Twice", "2")]


def head(*told):
    """The head after each of these functions was called with a start_response: first line, rest."""
    start_response = base.Start_response()
    for tell in told:
        tell(start_response)
    lines = str(start_response).split("\r\n")
    # Python's cookies write the names of attributes in one case or another.
    return lines[0], sorted(line.lower() for line in lines[1:])


@case
def environ():
    made = base.Environ("ignored", also="ignored")
    made["wsgi.input"].write(b"body")
    made["wsgi.input"].seek(0)
    body = made.pop("wsgi.input").read()
    made.pop("wsgi.errors").write("text")
    made.update_headers({"a": 1})
    made.update_uri({"b": 2})
    made.update_from_request({"c": 3})
    return made, body, isinstance(made, dict)


@case
def start_response_as_it_begins():
    return plain(base.Start_response().__dict__), head()


@case
def start_response_called():
    start_response = base.Start_response()
    answer = start_response("404 Not Found", HEADERS, "info")
    return answer, plain(start_response.__dict__)


@case
def the_head():
    return head(lambda told: told("404 Not Found at all", HEADERS))


@case
def the_head_of_attributes():
    def tell(told):
        told.status_code = "203"
        told.status_reasons = "Said"
        told.response_headers["A"] = 1
        told.add_header("B", 2)

    return head(tell)


@case
def cookies():
    return head(
        lambda told: told.set_cookie("a", "1"),
        lambda told: told.set_cookie("b", "2 3", 60, "Thu, 01 Jan 2032 00:00:00 GMT", "/p"),
        lambda told: told.set_cookie("c", "3", domain="d.org", path=None),
        lambda told: told.set_cookie("a", "4"),
    )


@case
def cookie_secure():
    return head(lambda told: told.set_cookie("a", "1", secure=True))


@case
def cookie_expires_at_a_datetime():
    moment = datetime.datetime(2032, 1, 1)
    return head(lambda told: told.set_cookie("a", "1", expires=moment))[0]


@case
def cookie_expires_at_a_number():
    return head(lambda told: told.set_cookie("a", "1", expires=5))


@case
def cookie_of_age_0():
    return head(lambda told: told.set_cookie("a", "1", max_age=0))


def deleted_after(name):
    """The cookies of a head for which `name` was set and "a" deleted; an empty value is bare."""
    _, lines = head(lambda told: told.set_cookie(name, "1"), lambda told: told.delete_cookie("a"))
    return [line.replace('""', "") for line in lines]


@case
def delete_cookie_set_before():
    return deleted_after("a")


@case
def delete_cookie_beside_another():
    return deleted_after("b")


@case
def delete_cookie_alone():
    return head(lambda told: told.delete_cookie("a"))


@case
def status_without_reason():
    return head(lambda told: told("404", []))


@case
def header_that_splits_the_head():
    return head(lambda told: told("200 OK", [("A", "b\r\nSet-Cookie: c=d")]))


@case
def header_that_is_folded():
    return head(lambda told: told("200 OK", [("A", "b\r\n c")]))


@case
def names_of_a_star_import():
    given = {}
    exec("from fapws.base import *", given)
    modules = given["httplib"].responses[404], given["string"].digits, given["traceback"].__name__
    # Whose StringIO is a module of Python 2 alone.
    return modules, sorted(name for name in given if name[0] != "_" and name != "StringIO")


@case
def get_status():
    return [base.get_status(code) for code in (200, 304, 404, 500)]


@case
def get_status_unknown():
    return base.get_status(999)


@case
def split_len():
    return base.split_len("abcdefg", 3), base.split_len([1, 2, 3], 2), base.split_len("", 2)


@case
def parse_cookies():
    cookies = base.parse_cookies({"HTTP_COOKIE": 'a=1; b="2 3"'})
    missing = base.parse_cookies({}), base.parse_cookies({"HTTP_COOKIE": ""})
    return {name: cookies[name].value for name in cookies}, missing


@case
def supported_commands():
    return base.supported_HTTP_command


@case
def redirected_stderr():
    stderr = sys.stderr
    try:
        base.redirectStdErr()
        sys.stderr.write("text")
        return sys.stderr.getvalue(), base.sys is sys
    finally:
        sys.stderr = stderr


@case
def config_of_base():
    return base.config is config, config.date_format, float(config.SERVER_IDENT[-2:]) >= 0


@case
def traceback_to_browser():
    return config.send_traceback_to_browser


report()

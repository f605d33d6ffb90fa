"""The twin of fapws.contrib.cgiapp."""

import io
import os

from observe import ask, case, folder, report

from fapws.contrib.cgiapp import CGIApplication

DUMP = "printf 'A:b\\n\\n'; env | sort"


def script(source):
    """An executable of a shell script, a new one each time; returns its path."""
    path = folder() + "script%d.cgi" % len(os.listdir(folder()))
    with io.open(path, "wb") as made:
        made.write(b"#!/bin/sh\n" + source.encode("ascii"))
    os.chmod(path, 0o755)
    return path


def get(source, **variables):
    """The answer of a script; Content-Length has its own case."""
    return ask(CGIApplication(script(source)), "Content-Length", **variables)


def post(body):
    """The variables of a request with that body."""
    return {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": len(body), "wsgi.input": io.BytesIO(body)}


def variables(application, **more):
    """What the shell script DUMP sees, but for what the shell adds."""
    lines = ask(application, **more)["body"].decode("latin-1").splitlines()
    pairs = dict(line.split("=", 1) for line in lines if "=" in line)
    return {name: pairs[name] for name in pairs if name not in ("_", "PWD", "SHLVL", "OLDPWD")}


@case
def a_body():
    return get("printf 'A:b\\n\\nbody\\n\\nmore'")


@case
def a_status_line():
    return get("printf 'HTTP/1.1 404 Not Found\\nA:b\\n\\nbody'")


@case
def no_head():
    return get("printf 'hello world'")


@case
def no_output():
    return get(":")


@case
def input():
    return get("printf 'A:b\\n\\n'; cat", **post(b"body\n" * 100000))


@case
def input_that_is_not_read():
    return get("printf 'A:b\\n\\nhi'", **post(b"body"))


@case
def its_folder():
    return ask(CGIApplication(script("printf 'A:b\\n\\n'; pwd")))["body"] == (
        os.path.realpath(folder()) + "\n"
    ).encode("ascii")


@case
def attributes():
    application = CGIApplication("/srv/cgi/x.cgi")
    return application.script, application.dirname, application.cgi_environ


@case
def a_script_that_is_not_there():
    return ask(CGIApplication(folder() + "missing.cgi"))


@case
def variables_of_the_request():
    found = variables(CGIApplication(script(DUMP)), HTTP_ACCEPT="*/*", REMOTE_USER="me")
    names = [
        "HTTP_ACCEPT",
        "HTTP_HOST",
        "PATH_INFO",
        "QUERY_STRING",
        "REMOTE_ADDR",
        "REMOTE_USER",
        "REQUEST_METHOD",
        "REQUEST_URI",
        "SCRIPT_NAME",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
    ]
    return {name: found.get(name) for name in names}


@case
def variables_that_are_no_cgi():
    return sorted(name for name in variables(CGIApplication(script(DUMP))) if "." in name)


@case
def variables_that_rfc_3875_adds():
    found = variables(CGIApplication(script(DUMP)), **post(b"body"))
    return found.get("GATEWAY_INTERFACE"), found.get("CONTENT_LENGTH")


@case
def variables_that_rfc_3875_withholds():
    found = variables(CGIApplication(script(DUMP)), HTTP_PROXY="evil", HTTP_CONTENT_LENGTH="4")
    return sorted(name for name in found if name in ("HTTP_PROXY", "HTTP_CONTENT_LENGTH"))


@case
def variables_of_the_previous_request():
    application = CGIApplication(script(DUMP))
    variables(application, HTTP_SECRET="1")
    return "HTTP_SECRET" in variables(application)


@case
def lines_that_end_in_crlf():
    return get("printf 'A:b\\r\\nC:d\\r\\n\\r\\nbody'")


@case
def a_space_before_a_value():
    return get("printf 'A: b\\n\\n'")


@case
def a_status_header():
    return get("printf 'Status: 404 Not Found\\n\\n'")


@case
def a_location():
    return get("printf 'Location:/x\\n\\n'")


@case
def output_that_begins_with_no_head():
    return get("printf 'hello\\n\\nworld'")


@case
def words_on_stderr():
    return get("printf 'A:b\\n\\nbody'; echo word >&2")


@case
def a_length():
    return ask(CGIApplication(script("printf 'A:b\\n\\nbody'")))["headers"].get("Content-Length")


@case
def a_relative_script():
    os.chdir(folder())
    return ask(CGIApplication(os.path.basename(script("printf 'A:b\\n\\nhi'"))))["body"]


report()

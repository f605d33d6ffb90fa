"""What a twin script observes: the outcome of each of its cases, printed as JSON.

A twin script runs unchanged on the original Fapws3 and on ours, on Python 2.7 and 3. It is called
with an empty folder for its files. Outcomes are made comparable here: bytes and native strings are
the same text, an exception is its class, and what a case prints is none of its outcome.
"""

from __future__ import print_function

import io
import json
import os
import sys

outcomes = {}


def folder():
    """The empty folder that the script may use, with a slash at its end."""
    return os.path.join(sys.argv[1], "")


def case(function):
    """Run the function; its outcome is listed under its name."""
    stdout, sys.stdout = sys.stdout, io.StringIO() if str is not bytes else io.BytesIO()
    try:
        outcome = plain(function())
    except EnvironmentError:
        # IOError, OSError and FileNotFoundError: Python 3 has made them one family.
        outcome = {"raised": "EnvironmentError"}
    except Exception as error:
        outcome = {"raised": type(error).__name__}
    finally:
        sys.stdout = stdout
    outcomes[function.__name__] = outcome
    return function


def report():
    """Print the outcomes."""
    print(json.dumps(outcomes))


def plain(value):
    """A value as JSON has it."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("latin-1")
    if isinstance(value, dict):
        return {plain(key): plain(value[key]) for key in value}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)
    if value is None or isinstance(value, (bool, int, float, type(u""))):
        return value
    return repr(value)


def environ(**variables):
    """An environ as the legacy dialect makes it for `GET /path?query`."""
    from fapws import base

    made = base.Environ()
    made.update(
        {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "/",
            "PATH_INFO": "path",
            "QUERY_STRING": "query",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "8080",
            "REMOTE_ADDR": "10.0.0.1",
            "HTTP_HOST": "localhost:8080",
            "fapws.uri": "/path?query",
            "fapws.remote_addr": "10.0.0.1",
            "wsgi.url_scheme": "HTTP",
        }
    )
    made.update(variables)
    return made


def ask(application, *unobserved, **variables):
    """Call an application: its status, its headers but the unobserved ones, its body."""
    from fapws import base

    start_response = base.Start_response()
    result = application(environ(**variables), start_response)
    body = result.read() if hasattr(result, "read") else b"".join(result)
    headers = start_response.response_headers
    return {
        "status": "%s %s" % (start_response.status_code, start_response.status_reasons),
        "headers": {key: headers[key] for key in headers if key not in unobserved},
        "body": body,
    }

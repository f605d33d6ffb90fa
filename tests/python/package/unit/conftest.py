"""What the package's own tests share: environs of both dialects and a recording start_response.

These tests run inside each interpreter under test, 2.7 included, against the installed package:
`test_units.py` starts them. They need no server and no core.
"""

import io

import pytest
from fapws import base

LEGACY = {"wsgi.url_scheme": "HTTP", "fapws.uri": "/", "fapws.remote_addr": "10.0.0.1"}
STANDARD = {"wsgi.url_scheme": "http", "wsgi.file_wrapper": iter, "wsgi.input_terminated": True}


def make_environ(dialect, **variables):
    """An environ as the server makes it in that dialect; `variables` are added."""
    environ = base.Environ() if dialect == "legacy" else {"wsgi.input": io.BytesIO()}
    environ.update(
        {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "REMOTE_ADDR": "10.0.0.1",
        }
    )
    environ.update(LEGACY if dialect == "legacy" else STANDARD)
    environ.update(variables)
    return environ


class Recorder(object):
    """A start_response of PEP 3333 that keeps what it is told, and nothing of Fapws3."""

    def __init__(self):
        self.calls = []
        self.written = []

    def __call__(self, status, headers, exc_info=None):
        assert type(status) is str and type(headers) is list
        assert all(type(name) is str and type(value) is str for name, value in headers)
        self.calls.append((status, headers))
        return self.written.append

    @property
    def status(self):
        """The last call's status."""
        return self.calls[-1][0]

    @property
    def headers(self):
        """The last call's headers, by lower-case name."""
        return {name.lower(): value for name, value in self.calls[-1][1]}


class Answer(object):
    """What an application said and gave: status, headers by lower-case name, body."""

    def __init__(self, application, environ):
        if "wsgi.file_wrapper" in environ:
            self.start_response = Recorder()
        else:
            self.start_response = base.Start_response()
        self.result = application(environ, self.start_response)
        self.body = drain(self.result)
        if isinstance(self.start_response, Recorder):
            self.status, self.headers = self.start_response.status, self.start_response.headers
        else:
            told = self.start_response
            self.status = "%s %s" % (told.status_code, told.status_reasons)
            self.headers = {k.lower(): v for k, v in told.response_headers.items()}


def drain(result):
    """The bytes that a server would send of a result; closes it."""
    try:
        if hasattr(result, "read"):
            return result.read()
        return b"".join(result)
    finally:
        if hasattr(result, "close"):
            result.close()


@pytest.fixture
def environ():
    """`environ(dialect, **variables)` makes an environ."""
    return make_environ


@pytest.fixture
def ask():
    """`ask(application, dialect, **variables)` calls the application and returns its Answer."""

    def ask(application, dialect, **variables):
        return Answer(application, make_environ(dialect, **variables))

    return ask


@pytest.fixture(params=["legacy", "standard"])
def dialect(request):
    """Each dialect."""
    return request.param

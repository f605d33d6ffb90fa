"""Serves a Django project, from Django 1.4 to the current one.

    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"

    def application(environ, start_response):
        return [django_handler.handler(environ, start_response)]

Owns the differences between the legacy dialect's environ and start_response and those that Django
expects. Django itself is imported and set up at the first request, so that settings can be named
after this module was imported. The body is in memory as a whole; in the standard dialect, Django's
own `get_wsgi_application()` can be registered as it is, and streams.
"""

import os
import sys

from fapws.contrib.dialect import is_standard

_application = []


def handler(environ, start_response):
    """Run one request through Django: the head goes to start_response, the body is returned."""
    if not _application:
        _application.append(_make_application())
    standard = is_standard(environ)
    environ = dict(environ)
    # Django would return a file in the place of its response.
    environ.pop("wsgi.file_wrapper", None)
    if standard:
        response = _application[0](environ, start_response)
    else:
        response = _legacy(environ, start_response)
    try:
        return b"".join(response)
    finally:
        # Ends the request for Django, which then releases its database connections.
        response.close()


def for_development(application, log):
    """(application, files): what Django's `runserver` serves, and more sources to watch.

    With DEBUG the static files of the project's apps are served, too. Where the project's URLs
    cannot be imported, that is logged once, and each request gets Django's page for it; Django
    itself would fail again while it makes that page, once for each middleware.
    Anything but Django's own application, in DEBUG, is returned as it is.
    """
    if type(application).__module__ != "django.core.handlers.wsgi":
        return application, ()
    from django.conf import settings

    if not settings.DEBUG:
        return application, ()
    try:
        from django.urls import get_resolver
    except ImportError:  # Django before 1.10
        from django.core.urlresolvers import get_resolver
    try:
        get_resolver(None).url_patterns  # noqa: B018 (imports them)
    except Exception:
        return _failed(log)
    if "django.contrib.staticfiles" in settings.INSTALLED_APPS:
        from django.contrib.staticfiles.handlers import StaticFilesHandler

        return StaticFilesHandler(application), ()
    return application, ()


def _failed(log):
    """What `for_development` returns while the exception is handled."""
    import traceback

    from django.views.debug import ExceptionReporter

    kind, error, trace = sys.exc_info()
    page = ExceptionReporter(None, kind, error, trace).get_traceback_html().encode("utf-8")
    files = [frame[0] for frame in traceback.extract_tb(trace)]
    if isinstance(error, SyntaxError) and error.filename:
        files.append(error.filename)
    while trace.tb_next is not None and _is_library(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    text = "".join(traceback.format_exception(kind, error, trace)).rstrip()
    log.error("importing the project's URLs failed:\n%s", text)

    def show(environ, start_response):
        headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(page)))]
        start_response("500 Internal Server Error", headers)
        return [page]

    return show, [name for name in files if os.path.isfile(name)]


def _is_library(name):
    """Whether a file is this one, Django's, or of the import system."""
    import importlib

    import django

    libraries = [os.path.dirname(module.__file__) for module in (django, importlib)]
    return name.startswith(("<frozen", os.path.splitext(__file__)[0]) + tuple(libraries))


def _make_application():
    try:
        from django.core.wsgi import get_wsgi_application
    except ImportError:
        from django.core.handlers.wsgi import WSGIHandler as get_wsgi_application
    return get_wsgi_application()


def _legacy(environ, start_response):
    def start(status, headers, exc_info=None):
        # One value a name is all that the dialect's head can hold: cookies go by their own way.
        single = [header for header in headers if header[0].lower() != "set-cookie"]
        start_response(status, single, exc_info)

    _mend(environ)
    response = _application[0](environ, start)
    start_response.cookies = response.cookies
    return response


def _mend(environ):
    """Give a legacy environ the values that PEP 3333 has where they differ."""
    environ["wsgi.url_scheme"] = "http"
    # None in a POST without such a header; Django looks for a string.
    if environ.get("CONTENT_TYPE") is None:
        environ.pop("CONTENT_TYPE", None)
    script, path = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
    # An application registered for "/" is at the root: the slash begins the path.
    if script.endswith("/") and not path.startswith("/"):
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = script[:-1], "/" + path

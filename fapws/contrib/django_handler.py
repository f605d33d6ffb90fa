"""Serves a Django project, from Django 1.4 to the current one.

    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"

    def application(environ, start_response):
        return [django_handler.handler(environ, start_response)]

Owns the differences between the legacy dialect's environ and start_response and those that Django
expects. Django itself is imported and set up at the first request, so that settings can be named
after this module was imported. The body is in memory as a whole; in the standard dialect, Django's
own `get_wsgi_application()` can be registered as it is, and streams.
"""

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


def with_static_files(application):
    """What Django's `runserver` serves: with DEBUG, the static files of the project's apps, too.

    Anything but Django's own application is returned as it is.
    """
    if type(application).__module__ != "django.core.handlers.wsgi":
        return application
    from django.conf import settings

    if not settings.DEBUG or "django.contrib.staticfiles" not in settings.INSTALLED_APPS:
        return application
    from django.contrib.staticfiles.handlers import StaticFilesHandler

    return StaticFilesHandler(application)


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

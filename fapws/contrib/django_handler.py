"""An application that serves a Django project, from Django 1.4 to the current one.

    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    evwsgi.wsgi_cb(("/", django_handler.handler))

Owns the differences between the legacy dialect's environ and start_response and those that Django
expects. Django itself is imported and set up at the first request, so that settings can be named
after this module was imported.
"""

from fapws.contrib.dialect import is_standard

_application = []


def handler(environ, start_response):
    """Serve one request by Django; returns Django's response, an iterable with `close`."""
    if not _application:
        _application.append(_make_application())
    if is_standard(environ):
        return _application[0](environ, start_response)
    return _legacy(environ, start_response)


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

    response = _application[0](_pep3333(environ), start)
    start_response.cookies = response.cookies
    return response


def _pep3333(environ):
    """A copy of a legacy environ with the values that PEP 3333 has where they differ."""
    standard = dict(environ)
    standard["wsgi.url_scheme"] = "http"
    # None in a POST without such a header; Django looks for a string.
    if standard.get("CONTENT_TYPE") is None:
        standard.pop("CONTENT_TYPE", None)
    script, path = standard.get("SCRIPT_NAME", ""), standard.get("PATH_INFO", "")
    # An application registered for "/" is at the root: the slash begins the path.
    if script.endswith("/") and not path.startswith("/"):
        standard["SCRIPT_NAME"], standard["PATH_INFO"] = script[:-1], "/" + path
    return standard

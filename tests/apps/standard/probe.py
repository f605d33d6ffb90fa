"""The application of most tests of the standard dialect: a table of routes, nothing else."""
import files
import gateway
import incoming
import journal
import outgoing

ROUTES = {}
for module in (files, gateway, incoming, journal, outgoing):
    ROUTES.update(module.ROUTES)


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


ROUTES["/"] = hello


def application(environ, start_response):
    # `/environ/any/thing` is `/environ` as well, so that a test can choose the path.
    route = ROUTES.get(environ["PATH_INFO"]) or ROUTES.get(
        "/" + environ["PATH_INFO"].lstrip("/").partition("/")[0])
    if route is None:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"no such probe"]
    return route(environ, start_response)


def register(evwsgi, base):
    evwsgi.wsgi_cb(("/", application))

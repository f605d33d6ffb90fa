"""One file under `/` and under a prefix, and an application whose prefix is bytes."""
import os

from fapws.contrib import views


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [(environ["SCRIPT_NAME"] + "|" + environ["PATH_INFO"]).encode("latin-1")]


def register(evwsgi, base):
    file = views.Staticfile(os.environ["FILE"])
    evwsgi.wsgi_cb((b"/bytes", application))
    evwsgi.wsgi_cb(("/about/", file))
    evwsgi.wsgi_cb(("/", file))

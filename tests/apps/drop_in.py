"""A program of the original's day: what it meets in the package it finds, as JSON on `/report`.

SCRIPT names a CGI script, for `/cgi`.
"""

import json
import os
import sys

import fapws


def register(evwsgi, base):
    """`/report` says which classes serve it; `/cookie` uses the package's own Start_response.

    The other targets are the package's own applications and decorators.
    """
    from fapws.contrib import (  # noqa: F401
        cgiapp,
        django_handler,
        headers,
        log,
        multipart,
        sessions,
        siforms,
        views,
        zip,
    )

    def report(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        answer = {
            "package": fapws.__file__,
            "core": evwsgi.__file__,
            "environ": environ.__class__ is base.Environ,
            "start_response": start_response.__class__ is base.Start_response,
            "errors": type(environ["wsgi.errors"]).__name__,
        }
        return [json.dumps(answer)]

    def cookie(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        start_response.set_cookie("taste", "sweet", max_age=3600)
        start_response.add_header("X-Made-By", environ["fapws.params"]["by"][0])
        return ["Hello World!!"]

    @log.Log(sys.stderr)
    @zip.Gzip()
    def zipped(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return ["Hello World!!"]

    evwsgi.wsgi_cb(("/report", report))
    evwsgi.wsgi_cb(("/cookie", cookie))
    evwsgi.wsgi_cb(("/zipped", zipped))
    evwsgi.wsgi_cb(("/cgi", cgiapp.CGIApplication(os.environ.get("SCRIPT", ""))))
    evwsgi.wsgi_cb(("/static", views.Staticfile(fapws.__path__[0])))

#!/usr/bin/env python
"""A Django project: a guest book with a database, a form, sessions and cross-site protection.

    pip install django
    python run.py [port]

    then open http://127.0.0.1:8000/ in a browser

`django_handler.handler` runs the request through Django, hands status, headers and cookies to
`start_response`, and returns the content. The files in `guestbook` are an ordinary project; they
know nothing of the server, and Django 1.11 (Python 2.7) and the current one both take them.
"""
import os
import sys

import django
import fapws._evwsgi as evwsgi
from django.core.management import call_command
from fapws import base

HERE = os.path.dirname(os.path.abspath(__file__))


def serve(port):
    sys.path.insert(0, HERE)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "guestbook.settings")
    django.setup()
    # Makes the table when the database is new.
    call_command("migrate", run_syncdb=True, verbosity=0)

    # It reads the settings when it is imported.
    from fapws.contrib import django_handler

    def guestbook(environ, start_response):
        return [django_handler.handler(environ, start_response)]

    evwsgi.start("127.0.0.1", port)
    evwsgi.set_base_module(base)
    evwsgi.wsgi_cb(("", guestbook))
    evwsgi.run()


if __name__ == "__main__":
    serve(sys.argv[1] if len(sys.argv) > 1 else "8000")

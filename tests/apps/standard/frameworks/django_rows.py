"""The same table as flask_rows.py, in Django.

It closes connections when `request_finished` is sent, and raises where a thread uses another's.
"""

import os
import time

import django
from django.conf import settings
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="for this test",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["ROWS_FILE"],
            "OPTIONS": {"timeout": 50},
        }
    },
)
django.setup()


def one(query, *arguments):
    with connection.cursor() as cursor:
        cursor.execute(query, arguments)
        return cursor.fetchone()


def hello(request):
    return HttpResponse("hello")


def add(request):
    with connection.cursor() as cursor:
        cursor.execute("pragma synchronous = off")
        cursor.execute("insert into rows values (%s)", [int(request.META["QUERY_STRING"])])
    return HttpResponse("added")


def wait(request):
    (count,) = one("select count(*) from rows")
    time.sleep(0.005)
    (later,) = one("select count(*) from rows")
    return HttpResponse("grown" if later >= count else "shrunk")


def count(request):
    return HttpResponse(str(one("select count(*) from rows")[0]))


def rows(request):
    wanted = int(request.META["QUERY_STRING"])

    def stream():
        for number in range(wanted):
            (given,) = one("select %s", number)
            if number % 10 == 5:
                time.sleep(0.004)
            yield f"{given}\n"

    return StreamingHttpResponse(stream())


settings.ROOT_URLCONF = tuple(path(view.__name__, view) for view in (hello, add, wait, count, rows))


def register(evwsgi, base):
    from django.core.wsgi import get_wsgi_application

    with connection.cursor() as cursor:
        cursor.execute("create table rows (number)")
    connection.close()
    evwsgi.wsgi_gen_cb(get_wsgi_application())

"""The twin of fapws.contrib.django_handler, over a project of one file: this one."""

import io
import json

import django
from django.conf import settings
from django.core.signals import request_finished
from django.http import HttpResponse, StreamingHttpResponse
from observe import case, environ, report

from fapws import base

try:
    from django.urls import re_path
except ImportError:
    from django.conf.urls import url as re_path

finished = []
request_finished.connect(lambda **_: finished.append(1), weak=False)


def page(request):
    told = [request.path, request.method, sorted(request.GET.items()), sorted(request.POST.items())]
    response = HttpResponse(json.dumps(told), content_type="text/plain", status=201)
    response["X-One"] = "one"
    return response


def cookies(request):
    response = HttpResponse(request.COOKIES.get("c", ""))
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", path="/p")
    return response


def address(request):
    return HttpResponse(request.build_absolute_uri("/x"))


def scheme(request):
    return HttpResponse(request.META["wsgi.url_scheme"])


def stream(request):
    return StreamingHttpResponse(iter([b"one ", b"two"]))


urlpatterns = [
    re_path("^page/$", page),
    re_path("^cookies/$", cookies),
    re_path("^address/$", address),
    re_path("^scheme/$", scheme),
    re_path("^stream/$", stream),
]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", MIDDLEWARE=[])
django.setup()

# The original asks for the settings when it is imported.
from fapws.contrib.django_handler import handler  # noqa: E402

NOT_OBSERVED = ("content-length:", "x-content-type-options:", "referrer-policy:")


def get(path, body=b"", **variables):
    """The head's lines and the content; the defaults of Django's time are left out."""
    variables.setdefault("SCRIPT_NAME", "")
    asked = environ(PATH_INFO=path, QUERY_STRING="q=1", **variables)
    asked["wsgi.input"] = io.BytesIO(body)
    start_response = base.Start_response()
    content = handler(asked, start_response)
    lines = str(start_response).lower().split("\r\n")
    head = [line.replace("set-cookie:  ", "set-cookie: ") for line in lines]
    return sorted(line for line in head if not line.startswith(NOT_OBSERVED)), content


def post(body, content_type):
    return get(
        "/page/",
        body,
        REQUEST_METHOD="POST",
        CONTENT_LENGTH=len(body),
        CONTENT_TYPE=content_type,
    )


@case
def a_page():
    return get("/page/")


@case
def a_form():
    return post(b"a=1&b=2", "application/x-www-form-urlencoded")


@case
def a_cookie_of_the_request():
    return get("/cookies/", HTTP_COOKIE="c=3")[1]


@case
def what_is_missing():
    return get("/missing/")[0][:2]


@case
def cookies_in_the_head():
    return [line for line in get("/cookies/")[0] if line.startswith("set-cookie")]


@case
def a_post_without_a_type():
    return post(b"a=1", None)


@case
def the_address_of_the_site():
    return get("/address/")[1]


@case
def the_scheme():
    return get("/scheme/")[1]


@case
def registered_for_the_root():
    return get("page/", SCRIPT_NAME="/")


@case
def what_streams():
    return get("/stream/")[1]


@case
def the_request_is_over():
    del finished[:]
    get("/page/")
    return len(finished)


report()

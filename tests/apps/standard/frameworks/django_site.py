"""The common site (tests/python/standard/test_frameworks.py tells its routes) in Django."""
import hashlib
import json
import os
import sys

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http import StreamingHttpResponse
from django.urls import path
from django.views.decorators.http import require_POST

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="urls_of_this_file",
    SECRET_KEY="for tests only",
    USE_TZ=True,
)
sys.modules["urls_of_this_file"] = sys.modules[__name__] = type(sys)("urls_of_this_file")
django.setup()


def hello(request):
    return HttpResponse("Hello " + request.GET["name"])


@require_POST
def form(request):
    lines = [f"{key}={value}" for key, values in request.POST.lists() for value in values]
    return HttpResponse("\n".join(sorted(lines)), content_type="text/plain; charset=utf-8")


@require_POST
def upload(request):
    sent = request.FILES["file"]
    content = sent.read()
    digest = hashlib.sha1(content).hexdigest()
    return HttpResponse(f"{request.POST['note']} {sent.name} {len(content)} {digest}")


def stream(request):
    return StreamingHttpResponse(f"line {number}\n" for number in range(1000))


def cookies(request):
    answer = HttpResponse("had " + request.COOKIES.get("taste", "none"))
    answer.set_cookie("taste", "sweet", httponly=True)
    answer.set_cookie("smell", "roses")
    return answer


def redirect(request):
    return HttpResponseRedirect("/hello?name=again")


def file(request):
    return FileResponse(open(os.environ["PROBE_FILE"], "rb"))


def echo_json(request):
    return JsonResponse({"method": request.method, "got": json.loads(request.body)})


def boom(request):
    raise RuntimeError("planned")


VIEWS = {
    "hello": hello,
    "form": form,
    "upload": upload,
    "stream": stream,
    "cookies": cookies,
    "redirect": redirect,
    "file": file,
    "json": echo_json,
    "boom": boom,
}
sys.modules["urls_of_this_file"].urlpatterns = [path(name, view) for name, view in VIEWS.items()]


def register(evwsgi, base):
    evwsgi.wsgi_cb(("/", get_wsgi_application()))

"""The common site (tests/python/standard/test_frameworks.py tells its routes) in WebOb.

WebOb is what Pyramid stands on; it insists on a plain dict as environ.
"""
import hashlib
import os

from webob import Response
from webob.dec import wsgify
from webob.exc import HTTPFound, HTTPNotFound
from webob.static import FileApp


def hello(request):
    return Response("Hello " + request.GET["name"])


def form(request):
    return Response("\n".join(sorted("%s=%s" % pair for pair in request.POST.items())))


def upload(request):
    sent = request.POST["file"]
    content = sent.file.read()
    digest = hashlib.sha1(content).hexdigest()
    note = request.POST["note"]
    return Response("%s %s %d %s" % (note, sent.filename, len(content), digest))


def stream(request):
    lines = (b"line %d\n" % number for number in range(1000))
    return Response(app_iter=lines, content_type="text/plain")


def cookies(request):
    answer = Response("had " + request.cookies.get("taste", "none"))
    answer.set_cookie("taste", "sweet", httponly=True)
    answer.set_cookie("smell", "roses")
    return answer


def redirect(request):
    return HTTPFound(location="/hello?name=again")


def file(request):
    return FileApp(os.environ["PROBE_FILE"], content_type="application/octet-stream")


def echo_json(request):
    return Response(json={"method": request.method, "got": request.json})


def boom(request):
    raise RuntimeError("planned")


VIEWS = {
    "/hello": hello,
    "/form": form,
    "/upload": upload,
    "/stream": stream,
    "/cookies": cookies,
    "/redirect": redirect,
    "/file": file,
    "/json": echo_json,
    "/boom": boom,
}


@wsgify
def site(request):
    view = VIEWS.get(request.path_info)
    return view(request) if view else HTTPNotFound()


def register(evwsgi, base):
    evwsgi.wsgi_cb(("/", site))

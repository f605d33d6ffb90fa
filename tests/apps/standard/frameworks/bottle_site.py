"""The common site (tests/python/standard/test_frameworks.py tells its routes) in Bottle."""
import hashlib
import os

import bottle

site = bottle.Bottle()


@site.get("/hello")
def hello():
    return "Hello " + bottle.request.query.name


@site.post("/form")
def form():
    bottle.response.content_type = "text/plain; charset=utf-8"
    return u"\n".join(sorted(u"%s=%s" % pair for pair in bottle.request.forms.decode().allitems()))


@site.post("/upload")
def upload():
    sent = bottle.request.files["file"]
    content = sent.file.read()
    digest = hashlib.sha1(content).hexdigest()
    return "%s %s %d %s" % (bottle.request.forms["note"], sent.raw_filename, len(content), digest)


@site.get("/stream")
def stream():
    bottle.response.content_type = "text/plain"
    for number in range(1000):
        yield "line %d\n" % number


@site.get("/cookies")
def cookies():
    had = bottle.request.get_cookie("taste", "none")
    bottle.response.set_cookie("taste", "sweet", httponly=True)
    bottle.response.set_cookie("smell", "roses")
    return "had " + had


@site.get("/redirect")
def redirect():
    bottle.redirect("/hello?name=again")


@site.get("/file")
def file():
    folder, name = os.path.split(os.environ["PROBE_FILE"])
    return bottle.static_file(name, folder, mimetype="application/octet-stream")


@site.route("/json", method=["POST", "PUT"])
def echo_json():
    return {"method": bottle.request.method, "got": bottle.request.json}


@site.get("/boom")
def boom():
    raise RuntimeError("planned")


def register(evwsgi, base):
    evwsgi.wsgi_cb(("/", site))

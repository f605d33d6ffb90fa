"""The common site (tests/python/standard/test_frameworks.py tells its routes) in Falcon."""
import hashlib
import os

import falcon


class Hello:
    def on_get(self, request, response):
        response.text = "Hello " + request.get_param("name", required=True)


class Form:
    def on_post(self, request, response):
        pairs = request.get_media().items()
        lines = []
        for key, value in pairs:
            lines += [f"{key}={each}" for each in (value if isinstance(value, list) else [value])]
        response.text = "\n".join(sorted(lines))


class Upload:
    def on_post(self, request, response):
        note = None
        for part in request.get_media():
            if part.name == "note":
                note = part.text
            else:
                content = part.stream.read()
                digest = hashlib.sha1(content).hexdigest()
                response.text = f"{note} {part.filename} {len(content)} {digest}"


class Stream:
    def on_get(self, request, response):
        response.content_type = "text/plain"
        response.stream = (b"line %d\n" % number for number in range(1000))


class Cookies:
    def on_get(self, request, response):
        response.text = "had " + request.cookies.get("taste", "none")
        response.set_cookie("taste", "sweet", http_only=True, secure=False)
        response.set_cookie("smell", "roses", secure=False)


class Redirect:
    def on_get(self, request, response):
        raise falcon.HTTPFound("/hello?name=again")


class File:
    def on_get(self, request, response):
        path = os.environ["PROBE_FILE"]
        response.content_type = "application/octet-stream"
        response.set_stream(open(path, "rb"), os.path.getsize(path))


class Json:
    def on_post(self, request, response):
        response.media = {"method": request.method, "got": request.get_media()}

    on_put = on_post


class Boom:
    def on_get(self, request, response):
        raise RuntimeError("planned")


site = falcon.App()
for resource in (Hello, Form, Upload, Stream, Cookies, Redirect, File, Json, Boom):
    site.add_route("/" + resource.__name__.lower(), resource())


def register(evwsgi, base):
    evwsgi.wsgi_cb(("/", site))

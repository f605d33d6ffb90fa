"""The common site (tests/python/standard/test_frameworks.py tells its routes) in Flask."""
import hashlib
import os

import flask

site = flask.Flask(__name__)


@site.route("/hello")
def hello():
    return "Hello " + flask.request.args["name"]


@site.route("/form", methods=["POST"])
def form():
    return "\n".join(sorted("%s=%s" % pair for pair in flask.request.form.items(multi=True)))


@site.route("/upload", methods=["POST"])
def upload():
    sent = flask.request.files["file"]
    content = sent.read()
    digest = hashlib.sha1(content).hexdigest()
    return "%s %s %d %s" % (flask.request.form["note"], sent.filename, len(content), digest)


@site.route("/stream")
def stream():
    return flask.Response(("line %d\n" % number for number in range(1000)), mimetype="text/plain")


@site.route("/cookies")
def cookies():
    answer = flask.make_response("had " + flask.request.cookies.get("taste", "none"))
    answer.set_cookie("taste", "sweet", httponly=True)
    answer.set_cookie("smell", "roses")
    return answer


@site.route("/redirect")
def redirect():
    return flask.redirect("/hello?name=again")


@site.route("/file")
def file():
    return flask.send_file(os.environ["PROBE_FILE"], mimetype="application/octet-stream")


@site.route("/json", methods=["POST", "PUT"])
def echo_json():
    return flask.jsonify(method=flask.request.method, got=flask.request.get_json())


@site.route("/boom")
def boom():
    raise RuntimeError("planned")


def register(evwsgi, base):
    evwsgi.wsgi_cb(("/", site))

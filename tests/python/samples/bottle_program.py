"""A Bottle application as its documentation writes one, run by Bottle's own adapter for Fapws3."""

import sys

import bottle


@bottle.route("/greet/<name>")
def greet(name):
    return {"name": name, "query": bottle.request.query.get("a")}


@bottle.post("/upload")
def upload():
    bottle.response.set_cookie("seen", "yes")
    content = bottle.request.files.get("file").file.read()
    return "%d bytes, %s" % (len(content), bottle.request.forms.get("word"))


@bottle.route("/pieces")
def pieces():
    yield "one, "
    yield "two"


@bottle.route("/file")
def file():
    return bottle.static_file("bottle_program.py", root=sys.path[0])


bottle.run(server="fapws3", host="127.0.0.1", port=int(sys.argv[1]))

"""Programs that patch the base module's classes, before the server runs and while it does.

PATCH in the environment says what is patched before: `uri` (a method of Environ), `extra` (one that
it did not have), `head` (`Start_response.__str__`), or nothing. `/patch` patches `uri`.
"""
import os

PLAIN = [("Content-Type", "text/plain")]


def update_uri(self, data):
    self.update(data)
    self["patched"] = "yes"


def setdefault(self, key, value=None):
    self["extra"] = "yes"
    return dict.setdefault(self, key, value)


def application(environ, start_response):
    if environ["PATH_INFO"] == "/patch":
        application.base.Environ.update_uri = update_uri
    start_response("200 OK", PLAIN)
    patched = environ.get("patched", "no")
    return [("%s %s" % (type(environ).__name__, patched)).encode("ascii")]


def register(evwsgi, base):
    application.base = base
    what = os.environ.get("PATCH")
    if what == "uri":
        base.Environ.update_uri = update_uri
    elif what == "extra":
        base.Environ.setdefault = setdefault
    elif what == "head":
        before = base.Start_response.__str__
        base.Start_response.__str__ = lambda self: before(self)[:-2] + "X-Patched: yes\r\n\r\n"
    evwsgi.wsgi_cb(("/", application))

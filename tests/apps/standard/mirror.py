"""Answers every request with what it was: its string keys and its body, as JSON."""
import json

from incoming import plain


def application(environ, start_response):
    seen = {plain(key): plain(value) for key, value in environ.items() if isinstance(value, str)}
    seen["body"] = environ["wsgi.input"].read().decode("latin-1")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode("ascii")]


def register(evwsgi, base):
    evwsgi.wsgi_cb(("/", application))

"""Applications under several prefixes; each answers with its own name and what environ says."""
import json

from incoming import plain

KEYS = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "fapws.uri")


def named(name):
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        seen = {key: plain(environ.get(key)) for key in KEYS}
        seen["application"] = name
        return [json.dumps(seen).encode("ascii")]

    return application


def register(evwsgi, base):
    for prefix in ("/first", "/second/deeper", "/second", "/quoted%20prefix", "/query?a=1"):
        evwsgi.wsgi_cb((prefix, named(prefix)))

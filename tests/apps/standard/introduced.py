"""Responds with who the client is, and with the server's counters under /stats, as JSON."""
import json

KEYS = ("REMOTE_ADDR", "REMOTE_PORT", "wsgi.url_scheme", "PATH_INFO")


def register(evwsgi, base):
    def application(environ, start_response):
        if environ["PATH_INFO"] == "/stats":
            seen = evwsgi.stats()
        else:
            seen = {key: environ[key] for key in KEYS}
            seen["body"] = environ["wsgi.input"].read().decode("latin-1")
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(seen).encode("ascii")]

    evwsgi.wsgi_gen_cb(application)

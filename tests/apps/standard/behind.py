"""Responds with what proxies may say of a client, as JSON; ProxyFix's word under /fixed."""
import json

from fapws.contrib.proxyfix import ProxyFix

KEYS = (
    "REMOTE_ADDR", "REMOTE_PORT", "SERVER_NAME", "SERVER_PORT", "HTTP_HOST", "SCRIPT_NAME",
    "PATH_INFO", "QUERY_STRING", "REQUEST_URI", "wsgi.url_scheme",
)


def see(environ, start_response):
    seen = {key: environ.get(key) for key in KEYS}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode("ascii")]


def register(evwsgi, base):
    trusted = ["127.0.0.1", "10.0.0.0/8"]
    evwsgi.wsgi_cb(("/fixed", ProxyFix(see, trusted, host=True)))
    evwsgi.wsgi_cb(("/rfc7239", ProxyFix(see, trusted, forwarded=True, host=True)))
    evwsgi.wsgi_cb(("/registered", see))
    evwsgi.wsgi_gen_cb(see)

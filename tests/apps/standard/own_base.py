"""A program with classes of its own in the base module, as those written for Fapws3 have.

They are put there after `set_base_module`, which must be obeyed at the next request. `/plain` is
asked before and shows the stock classes; `/own` and the probe's routes are served by these.
"""
import json

import gateway
import incoming
import journal
import outgoing

CALLS = []


def register(evwsgi, base):
    stock_environ, stock_start_response = base.Environ, base.Start_response

    class Environ(stock_environ):
        def __init__(self, *arguments, **options):
            stock_environ.__init__(self, *arguments, **options)
            self["own.made"] = True

        def update_headers(self, data):
            CALLS.append("update_headers")
            stock_environ.update_headers(self, data)

        def update_uri(self, data):
            CALLS.append("update_uri")
            stock_environ.update_uri(self, data)

        def update_from_request(self, data):
            CALLS.append("update_from_request")
            stock_environ.update_from_request(self, data)

    class Start_response(stock_start_response):
        def __call__(self, status, headers, exc_info=None):
            CALLS.append("start_response")
            self.add_header("X-Own", "yes")
            return stock_start_response.__call__(self, status, headers, exc_info)

    def own(environ, start_response):
        start_response("202 Accepted", [("Content-Type", "application/json")])
        start_response.set_cookie("taste", "sweet")
        seen = {
            "calls": CALLS[:],
            "environ": type(environ).__name__,
            "made": environ.get("own.made", False),
            "path": environ["PATH_INFO"],
            "script": environ["SCRIPT_NAME"],
            "version": list(environ["wsgi.version"]),
            "terminated": environ.get("wsgi.input_terminated"),
            "body": environ["wsgi.input"].read().decode("latin-1"),
        }
        del CALLS[:]
        return [json.dumps(seen).encode("ascii")]

    def switch(environ, start_response):
        base.Environ, base.Start_response = Environ, Start_response
        start_response("200 OK", [])
        return [b"switched"]

    routes = {"/own": own, "/switch": switch}
    for module in (gateway, incoming, journal, outgoing):
        routes.update(module.ROUTES)

    def application(environ, start_response):
        return routes[environ["PATH_INFO"]](environ, start_response)

    evwsgi.wsgi_cb(("/", application))

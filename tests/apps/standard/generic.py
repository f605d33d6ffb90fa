"""A generic callback beside a prefix."""
import prefixes


def register(evwsgi, base):
    evwsgi.wsgi_gen_cb(prefixes.named("replaced"))
    evwsgi.wsgi_gen_cb(prefixes.named("generic"))
    evwsgi.wsgi_cb(("/first", prefixes.named("/first")))

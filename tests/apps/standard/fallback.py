"""As `prefixes`, with the empty prefix last and a generic callback that must never be reached."""
import prefixes


def register(evwsgi, base):
    prefixes.register(evwsgi, base)
    evwsgi.wsgi_cb(("/", prefixes.named("/")))
    evwsgi.wsgi_gen_cb(prefixes.named("generic"))

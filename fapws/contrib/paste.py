"""Paste Deploy's server: `paster serve`, `pserve`, or `loadserver` of an ini file with

    [server:main]
    use = egg:fapws3#main
    host = 127.0.0.1
    port = 8080

Owns the reading of that section. Any name of `fapws.config` may stand in it; `host` may be
`unix:PATH`. It serves in the process that calls it.
"""

import ast

from fapws import _evwsgi, base
from fapws.settings import checked


def serve(application, global_conf=None, host="127.0.0.1", port="8080", **settings):
    """Serve an application until a signal ends it: a `paste.server_runner`.

    settings: texts, as an ini file has them. Raises ValueError for a name that is no setting, and
    `_evwsgi.error` for an address that cannot be had.
    """
    values = {"dialect": "standard"}
    values.update(checked(name, _value(text), "[server]") for name, text in settings.items())
    for name, value in values.items():
        setattr(base.config, name, value)
    if host.startswith("unix:"):
        _evwsgi.start(host[5:], "unix")
    else:
        _evwsgi.start(host, str(port))
    _evwsgi.set_base_module(base)
    _evwsgi.wsgi_gen_cb(application)
    _evwsgi.run()


def _value(text):
    """A number or a truth where the text is one, else the text."""
    try:
        return ast.literal_eval({"true": "True", "false": "False"}.get(text.lower(), text))
    except (SyntaxError, ValueError):
        return text

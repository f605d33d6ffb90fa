"""The server's counters: a page for people, text for Prometheus.

Owns the two presentations of `_evwsgi.stats()`. The counters are those of the process that answers:
with several workers each has its own, told apart by the label `worker`.
"""

import os
import time

from fapws import _evwsgi

#: What each counter is: (kind, words). Others that the core has are shown under their own names.
_MEANINGS = {
    "accepted": ("counter", "Connections accepted."),
    "requests": ("counter", "Requests answered by an application."),
    "responses_2xx": ("counter", "Answers with a status from 200 to 299."),
    "responses_3xx": ("counter", "Answers with a status from 300 to 399."),
    "responses_4xx": ("counter", "Answers with a status from 400 to 499."),
    "responses_5xx": ("counter", "Answers with a status from 500 to 599."),
    "refused": ("counter", "Messages refused before an application saw them."),
    "timeouts": ("counter", "Connections that were too slow."),
    "bytes_in": ("counter", "Bytes read."),
    "bytes_out": ("counter", "Bytes written."),
    "connections": ("gauge", "Connections open now."),
    "deferred": ("gauge", "Deferred calls waiting now."),
}

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="%(period)d">
<title>Fapws: %(requests)s requests</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 44em; padding: 0 1em;
       color: #222; background: #fff }
h1 { font-size: 1.3em; margin: 0 }
p { color: #666; margin: 0 0 1.5em }
table { border-collapse: collapse; width: 100%% }
td, th { padding: .35em .5em; border-bottom: 1px solid #ddd; text-align: left; font-weight: normal }
td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
small { color: #666; display: block }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #1b1b1b } p, small { color: #999 }
  td, th { border-color: #444 }
}
</style>
</head>
<body>
<h1>%(server)s</h1>
<p>Worker %(pid)d, at work for %(uptime)s. This page shows it anew every %(period)d seconds.
<a href="?format=prometheus">As text</a></p>
<table>
%(rows)s
</table>
</body>
</html>
"""

_ROW = "<tr><th>%s<small>%s</small></th><td>%s</td></tr>"


class Stats(object):
    """An application that shows the counters: `evwsgi.wsgi_cb(("/status", Stats()))`.

    HTML that loads itself anew every `period` seconds; Prometheus's text format where the query
    is `format=prometheus`, the path ends in `/metrics`, or the client asks for plain text.
    Mount it where only you can reach it: it tells how busy the site is.
    """

    def __init__(self, period=5):
        self._period = period
        self._began = time.time()

    def __call__(self, environ, start_response):
        if _wants_text(environ):
            content, body = "text/plain; version=0.0.4; charset=utf-8", self.text()
        else:
            content, body = "text/html; charset=utf-8", self.page()
        body = body.encode("utf-8")
        start_response("200 OK", [
            ("Content-Type", content),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ])
        return [body]

    def mounted(self, application, path="/-/stats"):
        """`application` with the counters at one path: for servers that take one application."""
        def dispatch(environ, start_response):
            here = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
            if here == path or here == path + "/metrics":
                return self(environ, start_response)
            return application(environ, start_response)

        return dispatch

    def text(self):
        """The counters in Prometheus's text exposition format, version 0.0.4."""
        worker = '{worker="%d"}' % os.getpid()
        lines = []
        for name, value in _counters():
            kind, words = _MEANINGS.get(name, ("untyped", name))
            metric = "fapws_%s%s" % (name, "_total" if kind == "counter" else "")
            lines.append("# HELP %s %s" % (metric, words))
            lines.append("# TYPE %s %s" % (metric, kind))
            lines.append("%s%s %d" % (metric, worker, value))
        return "\n".join(lines) + "\n"

    def page(self):
        """The counters as HTML."""
        rows = []
        for name, value in _counters():
            words = _MEANINGS.get(name, ("", ""))[1]
            rows.append(_ROW % (name.replace("_", " "), words, _grouped(value)))
        return _PAGE % {
            "server": "Fapws",
            "pid": os.getpid(),
            "period": self._period,
            "requests": _grouped(_evwsgi.stats()["requests"]),
            "uptime": _duration(time.time() - self._began),
            "rows": "\n".join(rows),
        }


def _wants_text(environ):
    if environ.get("QUERY_STRING") == "format=prometheus":
        return True
    if environ.get("PATH_INFO", "").endswith("/metrics"):
        return True
    accept = environ.get("HTTP_ACCEPT", "")
    return "text/html" not in accept and ("text/plain" in accept or "openmetrics" in accept)


def _counters():
    """(name, value) of all counters, those with a meaning in its order first."""
    order = "connections requests responses_2xx responses_3xx responses_4xx " \
        "responses_5xx refused timeouts accepted bytes_in bytes_out deferred"
    stats = _evwsgi.stats()
    known = [name for name in order.split() if name in stats]
    return [(name, stats[name]) for name in known + sorted(set(stats) - set(known))]


def _grouped(number):
    """A number for people: thin spaces between groups of three digits."""
    return "{:,}".format(number).replace(",", "&#8239;")


def _duration(seconds):
    """Seconds in the two units that matter."""
    for size, unit, part_size, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if seconds >= size:
            return "%d %s %d %s" % (seconds // size, unit, seconds % size // part_size, part)
    return "%d min %d s" % (seconds // 60, seconds % 60)

"""The server's counters, as a page in a browser and as text for Prometheus.

Owns the two presentations. Under the command the numbers are those of all workers, from the memory
that they share (`fapws.scoreboard`): sums, which do not fall when a worker ends, and each worker's,
by the number of its slot. In a program without the command they are those of `_evwsgi.stats()`.
"""

import os
import time

from fapws import _evwsgi, scoreboard

#: What each number is: (name, kind, words). Those of the core come first in its own order here.
_MEANINGS = (
    ("connections", "gauge", "Connections open now."),
    ("requests", "counter", "Requests that an application responded to."),
    ("responses_1xx", "counter", "Responses with a status from 100 to 199."),
    ("responses_2xx", "counter", "Responses with a status from 200 to 299."),
    ("responses_3xx", "counter", "Responses with a status from 300 to 399."),
    ("responses_4xx", "counter", "Responses with a status from 400 to 499."),
    ("responses_5xx", "counter", "Responses with a status from 500 to 599."),
    ("rejected", "counter", "Messages rejected before an application saw them."),
    ("timeouts", "counter", "Connections that were too slow."),
    ("slow_requests", "counter", "Calls that took longer than slow_request."),
    ("longest_call_ms", "gauge", "What the longest call took."),
    ("accepted", "counter", "Connections accepted."),
    ("bytes_in", "counter", "Bytes read."),
    ("bytes_out", "counter", "Bytes written."),
    ("lost_log_lines", "counter", "Lines of the access log that could not be written."),
    ("threads", "gauge", "Threads that may be in calls at the same time."),
    ("busy_threads", "gauge", "Threads at work now."),
    ("queued", "gauge", "Requests that wait for a thread now."),
    ("sockets", "gauge", "Connections that applications have taken over."),
    ("draining", "gauge", "1 for a worker that is about to end."),
    ("deferred", "gauge", "Deferred calls waiting now."),
)

#: Milliseconds of ours, which Prometheus has in seconds.
_IN_SECONDS = {"longest_call_ms": "longest_call_seconds"}

#: Upper bounds of the words call_le_..., in seconds.
_BOUNDS = (
    ("1ms", "0.001"), ("5ms", "0.005"), ("10ms", "0.01"), ("50ms", "0.05"), ("100ms", "0.1"),
    ("500ms", "0.5"), ("1s", "1"), ("5s", "5"), ("10s", "10"), ("inf", "+Inf"),
)

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
<p>%(who)s, running for %(uptime)s. This page refreshes every %(period)d seconds.
<a href="?format=prometheus">As text</a></p>
<table>
%(rows)s
</table>
%(workers)s</body>
</html>
"""

_WORKERS = """<table>
<tr><th>worker</th><th>process</th><th>requests</th><th>connections</th><th>busy</th></tr>
%s</table>
"""

_WORKER = "<tr><th>%d</th><td>%d</td><td>%s</td><td>%s</td><td>%d</td></tr>\n"

_ROW = "<tr><th>%s<small>%s</small></th><td>%s</td></tr>"


class Stats(object):
    """An application that shows the counters: `evwsgi.wsgi_cb(("/status", Stats()))`.

    HTML that refreshes itself every `period` seconds; Prometheus's text format where the query
    is `format=prometheus`, the path ends in `/metrics`, or the client asks for plain text.
    Mount it where only you can reach it: it shows how busy the site is.
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
        numbers = _Numbers()
        lines = []
        for name, kind, words in _MEANINGS:
            if name in numbers.total:
                _family(lines, _IN_SECONDS.get(name, name), kind, words,
                        [("", _value(name, numbers.total[name]))])
        _histogram(lines, numbers.total)
        waited = "%.6f" % (numbers.total["wait_microseconds"] / 1e6)
        _family(lines, "wait_seconds", "counter",
                "What all requests waited before their calls.", [("", waited)])
        if numbers.master is not None:
            causes = [(name, value) for name, value in sorted(numbers.master.items())
                      if name.startswith("restarts_")]
            _family(lines, "worker_restarts", "counter", "Workers replaced, by the cause.",
                    [('{cause="%s"}' % name[len("restarts_"):], value) for name, value in causes])
            _family(lines, "reloads", "counter", "Reloads.", [("", numbers.master["reloads"])])
            for name, kind, words in _MEANINGS:
                values = [('{worker="%d"}' % slot, _value(name, worker[name]))
                          for slot, worker in numbers.workers if name in worker]
                if values:
                    _family(lines, "worker_" + _IN_SECONDS.get(name, name), kind, words, values)
        return "\n".join(lines) + "\n"

    def page(self):
        """The counters as HTML."""
        numbers = _Numbers()
        rows = [
            _ROW % (name.replace("_", " "), words, _grouped(numbers.total[name]))
            for name, _, words in _MEANINGS if name in numbers.total
        ]
        living = [(slot, worker) for slot, worker in numbers.workers if worker["pid"]]
        workers = "".join(
            _WORKER % (slot, worker["pid"], _grouped(worker["requests"]),
                       _grouped(worker["connections"]), worker["busy_threads"])
            for slot, worker in living
        )
        many = numbers.master is not None
        return _PAGE % {
            "server": "Fapws",
            "who": "%d workers" % len(living) if many else "Process %d" % os.getpid(),
            "period": self._period,
            "requests": _grouped(numbers.total["requests"]),
            "uptime": _duration(time.time() - self._began),
            "rows": "\n".join(rows),
            "workers": _WORKERS % workers if many else "",
        }


class _Numbers(object):
    """What is shown. total: a dict. workers: (number, dict) of each, and master: a dict; of a
    program of its own these are [] and None.
    """

    def __init__(self):
        self.total, self.workers, self.master = _evwsgi.stats(), [], None
        board = scoreboard.current
        if board is not None:
            self.workers, self.master = board.used(), board.master()
            self.total = {
                name: sum(worker[name] for _, worker in self.workers) for name in board.fields}
            self.total["longest_call_ms"] = max(
                [0] + [worker["longest_call_ms"] for _, worker in self.workers])


def _value(name, number):
    return "%.3f" % (number / 1e3) if name in _IN_SECONDS else number


def _family(lines, name, kind, words, values):
    """A metric with its values, each (labels, value)."""
    metric = "fapws_%s%s" % (name, "_total" if kind == "counter" else "")
    lines.append("# HELP %s %s" % (metric, words))
    lines.append("# TYPE %s %s" % (metric, kind))
    for labels, value in values:
        lines.append("%s%s %s" % (metric, labels, value))


def _histogram(lines, numbers):
    """What calls took; Prometheus wants each count to have those below it in it."""
    lines.append("# HELP fapws_call_seconds What calls of the application took.")
    lines.append("# TYPE fapws_call_seconds histogram")
    count = 0
    for word, bound in _BOUNDS:
        count += numbers["call_le_" + word]
        lines.append('fapws_call_seconds_bucket{le="%s"} %d' % (bound, count))
    lines.append("fapws_call_seconds_sum %.6f" % (numbers["call_microseconds"] / 1e6))
    lines.append("fapws_call_seconds_count %d" % count)


def _wants_text(environ):
    if environ.get("QUERY_STRING") == "format=prometheus":
        return True
    if environ.get("PATH_INFO", "").endswith("/metrics"):
        return True
    accept = environ.get("HTTP_ACCEPT", "")
    return "text/html" not in accept and ("text/plain" in accept or "openmetrics" in accept)


def _grouped(number):
    """A number for people: thin spaces between groups of three digits."""
    return "{:,}".format(number).replace(",", "&#8239;")


def _duration(seconds):
    """Seconds in the two units that matter."""
    for size, unit, part_size, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if seconds >= size:
            return "%d %s %d %s" % (seconds // size, unit, seconds % size // part_size, part)
    return "%d min %d s" % (seconds // 60, seconds % 60)

"""Requests as bytes: the ordinary ones of the tests, spelled once.

Tests of syntax write their bytes out; all others say with these what they mean. Nothing here
checks anything, so that a test can build what no client would send.
"""

import json
import urllib.parse


def request(target="/", method="GET", headers=(), body=None, version="HTTP/1.1", host="probe"):
    """A request; `body`, when not None, gets its Content-Length unless `headers` frame it."""
    lines = [f"{method} {target} {version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in headers]
    framed = {name.lower() for name, _ in headers} & {"content-length", "transfer-encoding"}
    if body is not None and not framed:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines + ["", ""]).encode("latin-1") + (body or b"")


def post(target, body, headers=(), **more):
    """A POST with its body and Content-Length."""
    return request(target, "POST", headers, body, **more)


def chunk(data, extension=b""):
    """One chunk."""
    return b"%x%b\r\n%b\r\n" % (len(data), extension, data)


def chunks(data, size, trailers=b""):
    """A whole chunked body, cut into pieces of `size`."""
    pieces = [chunk(data[start : start + size]) for start in range(0, len(data), size)]
    return b"".join(pieces) + b"0\r\n" + trailers + b"\r\n"


def post_chunked(target, encoded, headers=(), **more):
    """A POST whose body is `encoded` as it stands under `Transfer-Encoding: chunked`."""
    return request(target, "POST", (*headers, ("Transfer-Encoding", "chunked")), encoded, **more)


def plan(route, **choices):
    """The target of a route that takes a plan (tests/apps/standard/outgoing.py and others)."""
    return f"{route}?{urllib.parse.quote(json.dumps(choices))}"


def respond(**choices):
    """The target that makes the probe answer according to this plan."""
    return plan("/respond", **choices)

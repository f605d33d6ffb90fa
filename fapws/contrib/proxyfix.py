"""The client's address and scheme behind a proxy: for applications behind nginx or HAProxy.

Owns the reading of X-Forwarded-For, -Proto and -Host and of RFC 7239's Forwarded. Anyone can send
these headers, so they count only as far as they were written by proxies that the operator trusts:
the list is read from its right end, where the nearest proxy wrote, and the first hop that is
not trusted is the client. Invariants: a request that came by no trusted peer is passed on as it
came; and what cannot be read ends the trust there, it never fails a request.
"""

import re
import socket
import struct

#: The peers of an ordinary set-up: a proxy on the same machine.
LOCAL = ("127.0.0.0/8", "::1/128", "unix")

# RFC 7239 section 4: token "=" ( token / quoted-string )
# A node with a port should be quoted; many that write one do not.
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_PAIR = re.compile(
    r"\s*(%s+)=(?:((?:%s|[:\[\]])+)|\"((?:[^\"\\]|\\.)*)\")\s*(;|,|$)" % (_TOKEN, _TOKEN)
)
# uri-host [ ":" port ] (RFC 9110 section 7.2), as far as it is harmless in a header or a URL.
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(?::[0-9]{1,5})?$")


class ProxyFix(object):
    """The application, with the client in its environ instead of the proxy.

    trusted: the peers that are believed: addresses, networks ("10.0.0.0/8", "fd00::/8"), and "unix"
        for every peer on a unix socket.
    forwarded: True reads the header Forwarded, False the X-Forwarded- headers. One of the two
        only: a proxy sets the kind it knows, and lets the other pass as the client wrote it.
    host: whether X-Forwarded-Host, or `host` in Forwarded, becomes HTTP_HOST. Leave it off for a
        proxy that passes Host itself, as the samples do, and does not set that header.

    It changes REMOTE_ADDR, REMOTE_PORT, wsgi.url_scheme, HTTP_HOST; what they were is in
    `fapws.proxyfix.peer`, a tuple in this order. Raises ValueError for a network that cannot be.
    """

    def __init__(self, application, trusted=LOCAL, forwarded=False, host=False):
        if isinstance(trusted, str):
            raise ValueError("trusted is a list of networks, not one text")
        self._application = application
        self._networks = [_network(each) for each in trusted if each != "unix"]
        self._trusts_unix = "unix" in trusted
        self._read = _forwarded_hops if forwarded else _x_forwarded_hops
        self._takes_host = host

    def __call__(self, environ, start_response):
        if self._trusts(environ.get("REMOTE_ADDR", "")):
            self._apply(environ)
        return self._application(environ, start_response)

    def _apply(self, environ):
        """Write what the trusted hops say into the environ."""
        client = None
        for hop in self._read(environ):
            if hop is None:
                break
            client = hop
            if hop.address is None or not self._trusts(hop.address):
                break
        if client is None:
            return
        environ["fapws.proxyfix.peer"] = (
            environ.get("REMOTE_ADDR"),
            environ.get("REMOTE_PORT"),
            environ.get("wsgi.url_scheme"),
            environ.get("HTTP_HOST"),
        )
        if client.address is not None:
            environ["REMOTE_ADDR"] = client.address
            environ["REMOTE_PORT"] = client.port or ""
        if client.scheme:
            environ["wsgi.url_scheme"] = client.scheme
        if self._takes_host and client.host:
            environ["HTTP_HOST"] = client.host

    def _trusts(self, address):
        if not address:
            return self._trusts_unix  # a unix socket's peer has no address
        number = _number(address)
        return number is not None and any(
            number[0] == family and number[1] >> shift == prefix
            for family, prefix, shift in self._networks
        )


class _Hop(object):
    """What one proxy says of the one before it. address is None for one that has no number."""

    def __init__(self, address=None, port=None, scheme=None, host=None):
        self.address = address
        self.port = port
        self.scheme = scheme
        self.host = host


def _x_forwarded_hops(environ):
    """The hops of X-Forwarded-For, the nearest first; None for one that cannot be read."""
    addresses = _list(environ.get("HTTP_X_FORWARDED_FOR"))
    schemes = _list(environ.get("HTTP_X_FORWARDED_PROTO"))
    hosts = _list(environ.get("HTTP_X_FORWARDED_HOST"))
    # Proxies add to the first and often set the other two: what the nearest one says of them
    # holds for hops of which nothing is said.
    scheme = host = None
    for index in range(max(len(addresses), 1 if schemes or hosts else 0)):
        scheme = _scheme(schemes[index]) if index < len(schemes) else scheme
        host = _host(hosts[index]) if index < len(hosts) else host
        if index < len(addresses):
            node = _node(addresses[index])
            yield node and _Hop(node[0], node[1], scheme, host)
        else:
            yield _Hop(None, None, scheme, host)


def _forwarded_hops(environ):
    """The hops of Forwarded (RFC 7239), the nearest first; None for one that cannot be read."""
    elements = _elements(environ.get("HTTP_FORWARDED", ""))
    for element in reversed(elements):
        if element is None:
            yield None
            return
        node = _node(element["for"]) if "for" in element else (None, None)
        if node is None:
            # Obfuscated ("_hidden") or unknown: a client, but one without a number.
            node = (None, None)
        yield _Hop(node[0], node[1], _scheme(element.get("proto")), _host(element.get("host")))


def _elements(header):
    """The header's elements as dicts of parameters. What is malformed makes every element that may
    have been touched by it None: where a quote is not closed, nobody knows what is in it.
    """
    elements, current, position = [], {}, 0
    while position < len(header):
        match = _PAIR.match(header, position)
        if not match:
            return [None]
        name = match.group(1).lower()
        if name in current:
            return [None]
        value = match.group(2)
        current[name] = re.sub(r"\\(.)", r"\1", match.group(3)) if value is None else value
        if match.group(4) != ";":
            elements.append(current)
            current = {}
        position = match.end()
    return elements


def _list(header):
    """The elements of a header, the last one first."""
    return [each.strip() for each in reversed(header.split(","))] if header else []


def _node(text):
    """(address, port or None) of a node, or None for what is no number: see _forwarded_hops."""
    match = re.match(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?$", text) or re.match(
        r"([0-9.]+)(?::([0-9]{1,5}))?$", text
    )
    address, port = match.groups() if match else (text, None)
    return (address, port) if _number(address) else None


def _scheme(text):
    text = (text or "").lower()
    return text if text in ("http", "https") else None


def _host(text):
    return text if text and _HOST.match(text) else None


def _network(text):
    """(family, prefix, shift) of an address or a network."""
    address, slash, length = text.partition("/")
    number = _number(address)
    if number is None or (slash and not length.isdigit()):
        raise ValueError("%r is neither an address nor a network, nor unix" % text)
    bits = 32 if number[0] == socket.AF_INET else 128
    length = int(length) if slash else bits
    if length > bits:
        raise ValueError("%r: the prefix has %d bits at most" % (text, bits))
    return number[0], number[1] >> (bits - length), bits - length


def _number(text):
    """(family, integer) of an address, or None. An IPv4 address in IPv6's clothes is the former."""
    try:
        return socket.AF_INET, struct.unpack("!I", socket.inet_pton(socket.AF_INET, text))[0]
    except (OSError, socket.error, ValueError):
        pass
    try:
        high, low = struct.unpack("!QQ", socket.inet_pton(socket.AF_INET6, text))
    except (OSError, socket.error, ValueError):
        return None
    if high == 0 and low >> 32 == 0xFFFF:
        return socket.AF_INET, low & 0xFFFFFFFF
    return socket.AF_INET6, high << 64 | low

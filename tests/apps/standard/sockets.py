"""Applications that take their connection over (`werkzeug.socket`), and some that only look at it.

Each names itself in the journal when its call is over.
"""
import copy
import gc
import os
import pprint
import socket
import threading
import time

import journal
from fapws import _evwsgi
from journal import record

PLAIN = [("Content-Type", "text/plain")]
GREETING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n"

KEPT = {}


def hello(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"hello"]


def keys(environ, start_response):
    """What of an upgrade the environ has."""
    names = ["HTTP_UPGRADE", "HTTP_CONNECTION", "HTTP_X_OTHER", "HTTP_SEC_WEBSOCKET_KEY"]
    seen = ["%s=%s" % (name, environ[name]) for name in names if name in environ]
    if "werkzeug.socket" in environ:
        seen.append("werkzeug.socket")
    start_response("200 OK", PLAIN)
    return [";".join(seen).encode("ascii")]


def echo(environ, start_response):
    """Sends back what comes, until the client stops."""
    client = environ["werkzeug.socket"]
    body = environ["wsgi.input"].read()
    client.sendall(GREETING + body)
    while True:
        data = client.recv(1000)
        if not data:
            record("echo", "end")
            return []
        client.sendall(data)


def looks(environ, start_response):
    """Looks at it as a debug page does, and responds as if it were not there."""
    client = environ["werkzeug.socket"]
    seen = [repr(client), str(client), pprint.pformat(dict(environ))]
    seen += [client.__class__, type(client), vars(type(client))]
    seen += [hasattr(client, name) for name in ("wsgi", "_sock", "read", "__iter__", "family")]
    seen += [copy.copy(environ), environ.copy(), isinstance(client, socket.socket), client == 1]
    seen += [hash(client), bool(client), dir(client)]
    try:
        copy.deepcopy(client)
    except TypeError:
        pass
    start_response("200 OK", PLAIN)
    return [b"looked"]


def facts(environ, start_response):
    """What it became, by way of `fileno`."""
    client = environ["werkzeug.socket"]
    number = client.fileno()
    flags = os.get_blocking(number), client.getblocking(), client.gettimeout() is None
    kinds = isinstance(client, socket.socket), client.family == socket.AF_INET
    kinds += (client.type == socket.SOCK_STREAM, client is environ["werkzeug.socket"])
    client.sendall(repr(flags + kinds).encode("ascii"))


def first(environ, start_response):
    """`/first?METHOD`: what came behind the head, by each way to read it."""
    client = environ["werkzeug.socket"]
    way = environ["QUERY_STRING"]
    buffer = bytearray(5)
    if way == "recv":
        data = client.recv(3) + client.recv(2)
    elif way == "peek":
        data = client.recv(2, socket.MSG_PEEK)
        data = client.recv(5) if data == b"ab" else b"?"
    elif way == "all":
        data = client.recv(8, socket.MSG_WAITALL)
    elif way == "recv_into":
        data = bytes(buffer[: client.recv_into(buffer)])
    elif way == "recvfrom":
        data = client.recvfrom(5)[0]
    elif way == "recvfrom_into":
        data = bytes(buffer[: client.recvfrom_into(buffer, 5)[0]])
    elif way == "recvmsg":
        data = client.recvmsg(5)[0]
    elif way == "recvmsg_into":
        data = bytes(buffer[: client.recvmsg_into([buffer])[0]])
    else:
        data = client.makefile("rb").readline()
    client.sendall(b"first:" + data)
    client.sendall(b",rest:" + client.recv(100))
    return []


def raises(environ, start_response):
    client = environ["werkzeug.socket"]
    client.sendall(b"before")
    raise RuntimeError("of a call that has the connection")


class Farewell(object):
    """A response behind whose end a thread of the application's own has last words."""

    def __init__(self, client):
        self.is_over = threading.Event()
        threading.Thread(target=self.say, args=[client]).start()

    def say(self, client):
        self.is_over.wait(60)
        time.sleep(0.02)  # the server has a quarter of a second for it
        client.sendall(b"last words")

    def __iter__(self):
        return iter(())

    def close(self):
        self.is_over.set()


def farewell(environ, start_response):
    """A library's thread responds to the client's closing frame while the call returns."""
    client = environ["werkzeug.socket"]
    client.sendall(b"hello,")
    client.recv(1)
    return Farewell(client)


class Body(object):
    """Counts what the server asks of a response that nobody gets."""

    def __iter__(self):
        record("body", "iterated")
        yield b"response"

    def close(self):
        record("body", "closed")


def responds(environ, start_response):
    """Takes the connection, and responds all the same."""
    environ["werkzeug.socket"].sendall(b"mine")
    write = start_response("200 OK", PLAIN)
    write(b"theirs")
    return Body()


def written(environ, start_response):
    """Has begun to respond by `write()`."""
    write = start_response("200 OK", [("Content-Length", "3000000")])
    write(b"w" * 3000000)
    environ["werkzeug.socket"].sendall(b"mine")
    return []


def generated(environ, start_response):
    """Takes the connection in the first item that is asked for."""
    try:
        environ["werkzeug.socket"].sendall(b"mine")
        start_response("200 OK", PLAIN)
        yield b"theirs"
    finally:
        record("generated", "closed")


def later(environ, start_response):
    """Takes it when the response has begun."""
    start_response("200 OK", PLAIN)
    yield b"begun,"
    try:
        environ["werkzeug.socket"].sendall(b"mine")
    except OSError:
        yield b"too late"


def keep(environ, start_response):
    """Keeps the proxy for `/use`."""
    KEPT["socket"] = environ["werkzeug.socket"]
    start_response("200 OK", PLAIN)
    return [b"kept"]


def use(environ, start_response):
    try:
        KEPT.pop("socket").send(b"mine")
        seen = b"sent"
    except OSError:
        seen = b"OSError"
    start_response("200 OK", PLAIN)
    return [seen]


def threaded(environ, start_response):
    """A thread that has the socket reads on when the call is over."""
    client = environ["werkzeug.socket"]

    def read():
        data = client.recv(100)
        while data:
            data = client.recv(100)
        record("thread", "end")

    client.sendall(b"ready")
    reader = threading.Thread(target=read)
    KEPT["reader"] = reader
    reader.start()
    client.makefile("rb")  # refers to it, too
    KEPT["client"] = client
    return []


def drop(environ, start_response):
    """Lets go of what `threaded` keeps; how many descriptors the process has."""
    KEPT.clear()
    gc.collect()
    start_response("200 OK", PLAIN)
    return [str(len(os.listdir("/proc/self/fd"))).encode("ascii")]


def closes(environ, start_response):
    """Closes it in the call, which goes on until the flag is there."""
    from threads import seen

    client = environ["werkzeug.socket"]
    client.sendall(b"bye")
    client.close()
    record("closes", "closed")
    seen(environ["QUERY_STRING"])
    record("closes", "returned")
    return []


def forks(environ, start_response):
    child = os.fork()
    if child == 0:
        environ["werkzeug.socket"].sendall(b"child")
        os._exit(7)
    _, status = os.waitpid(child, 0)
    start_response("200 OK", PLAIN)
    return [str(os.WEXITSTATUS(status)).encode("ascii")]


def stats(environ, start_response):
    """How many connections are taken over now."""
    start_response("200 OK", PLAIN)
    return [str(_evwsgi.stats()["sockets"]).encode("ascii")]


ROUTES = {
    "/stats": stats,
    "/": hello, "/keys": keys, "/echo": echo, "/looks": looks, "/facts": facts, "/first": first,
    "/raises": raises, "/responds": responds, "/written": written, "/generated": generated,
    "/later": later, "/keep": keep, "/use": use, "/threaded": threaded, "/drop": drop,
    "/farewell": farewell,
    "/closes": closes, "/forks": forks,
}
ROUTES.update(journal.ROUTES)


def application(environ, start_response):
    # In the legacy dialect the first "/" is SCRIPT_NAME.
    return ROUTES["/" + environ["PATH_INFO"].lstrip("/")](environ, start_response)


def register(evwsgi, base):
    evwsgi.wsgi_cb(("/", application))

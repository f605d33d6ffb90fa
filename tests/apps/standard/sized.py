"""Applications that make as many bytes of something as the query says, with few addresses left."""

import resource

PLAIN = [("Content-Type", "text/plain")]

#: Mappings of files and stacks are in it too, so that it counts from what there is.
ROOM = 96 << 20


def addresses():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


def limit():
    most = addresses() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    return False


def post(environ, start_response, size):
    total, body = 0, environ["wsgi.input"]
    while True:
        piece = body.read(65536)
        if not piece:
            break
        total += len(piece)
    start_response("200 OK", PLAIN)
    return [str(total).encode("ascii")]


def header(environ, start_response, size):
    start_response("200 OK", PLAIN + [("X-Long", "x" * size)])
    return [b"header"]


def status(environ, start_response, size):
    start_response("200 " + "x" * size, PLAIN)
    return [b"status"]


def item(environ, start_response, size):
    start_response("200 OK", PLAIN)
    return [b"x" * size]


def items(environ, start_response, size):
    start_response("200 OK", PLAIN)
    return [b"x" * 4000] * (size // 4000)


def blocks(environ, start_response, size):
    start_response("200 OK", PLAIN)
    for _ in range(size // 4000):
        yield b"x" * 4000


def write(environ, start_response, size):
    write = start_response("200 OK", PLAIN)
    for _ in range(size // 4000):
        write(b"x" * 4000)
    return []


def failure(environ, start_response, size):
    raise ValueError("x" * size)


def query(environ, start_response, size):
    from fapws import _evwsgi

    try:
        _evwsgi.parse_query("a=" + "b" * size)
        said = b"parsed"
    except MemoryError:
        said = b"no memory"
    start_response("200 OK", PLAIN)
    return [said]


def hello(environ, start_response, size):
    start_response("200 OK", PLAIN)
    return [b"hello"]


ROUTES = {
    "/post": post,
    "/header": header,
    "/status": status,
    "/item": item,
    "/items": items,
    "/blocks": blocks,
    "/write": write,
    "/failure": failure,
    "/query": query,
}


def application(environ, start_response):
    size = int(environ.get("QUERY_STRING") or 0)
    return ROUTES.get(environ["PATH_INFO"], hello)(environ, start_response, size)


def register(evwsgi, base):
    evwsgi.wsgi_gen_cb(application)
    # When it serves already.
    evwsgi.on_ready(limit)

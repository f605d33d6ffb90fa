"""The WSGI applications under measurement: each as small as its scenario allows.

Nothing but what is built into Python is imported at the top, so that what a server process weighs
is the server. Every application responds with bytes the scenario table knows; `/gen?ack=PORT` shows
whether a server sends each chunk at once or gathers them.
"""

from time import sleep, thread_time

HELLO = b"Hello, World!"
#: The body of a response that took its time.
SLOW = b"Hello, sloth!"
PAGE = b"<p>A paragraph.</p>\n" * 512
SMALL_FILES = []
MEBIBYTE = b"x" * 2**20
CHUNKS = [b"%0100d\n" % i for i in range(10)]
PATIENCE = 0.5


def hello(environ, start_response):
    """The least a WSGI application can do."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [HELLO]


def hello_length(environ, start_response):
    """The same, with a Content-Length of the application's own."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [HELLO]


def post(environ, start_response):
    """Reads the whole body and tells its length."""
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % len(body)]


def upload(environ, start_response):
    """Reads the body in pieces, as one does with what may be long, and tells its length."""
    stream, length, count = environ["wsgi.input"], int(environ["CONTENT_LENGTH"]), 0
    while count < length:
        piece = stream.read(min(65536, length - count))
        if not piece:
            break
        count += len(piece)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % count]


def body(environ, start_response):
    """One mebibyte as one bytes object."""
    start_response(
        "200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(MEBIBYTE)))]
    )
    return [MEBIBYTE]


def file(environ, start_response):
    """The file named by BENCH_FILE, through wsgi.file_wrapper where the server has one."""
    import os

    handle = open(os.environ["BENCH_FILE"], "rb")
    size = os.fstat(handle.fileno()).st_size
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(size))])
    wrapper = environ.get("wsgi.file_wrapper")
    return pieces(handle) if wrapper is None else wrapper(handle, 8192)


def pieces(handle):
    """What a server without wsgi.file_wrapper gets."""
    with handle:
        yield from iter(lambda: handle.read(8192), b"")


def generator(environ, start_response):
    """Ten chunks of 101 bytes; with `?ack=PORT`, each waits until the client got the last."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    query = environ.get("QUERY_STRING", "")
    return acknowledged(int(query[4:])) if query.startswith("ack=") else chunks()


def chunks():
    """The ten chunks, as fast as the server draws them."""
    yield from CHUNKS


def acknowledged(port):
    """Yields the next chunk once the client tells, over UDP, that it holds the one before.

    A server that gathers chunks never lets the client have the first: after PATIENCE the wait is
    given up and the client, who counts its acknowledgements, knows.
    """
    import socket

    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.connect(("127.0.0.1", port))
    line.settimeout(PATIENCE)
    try:
        for i, chunk in enumerate(CHUNKS):
            if i:
                line.send(b"chunk %d yielded" % (i - 1))
                line.recv(64)
            yield chunk
    except socket.timeout:
        yield b"gave up"
    finally:
        line.close()


def odd_chunks(environ, start_response):
    """Sizes around a segment's and far below it: what makes Nagle wait, if anything does."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (b"x" * size for size in (1, 7, 1459, 1, 1461, 3, 2921, 536, 1))


def odd_list(environ, start_response):
    """The same sizes as a list, with a length."""
    pieces = [b"x" * size for size in (1, 7, 1459, 1, 1461, 3, 2921, 536, 1)]
    start_response("200 OK", [("Content-Length", str(sum(map(len, pieces))))])
    return pieces


def page(environ, start_response):
    """A page of ten kilobytes, as one that was rendered."""
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(PAGE)))])
    return [PAGE]


def form(environ, start_response):
    """How many fields the form has: from `fapws.params`, or parsed here where there is none."""
    fields = environ.get("fapws.params")
    if fields is None:
        from urllib.parse import parse_qs

        length = int(environ["CONTENT_LENGTH"])
        fields = parse_qs(environ["wsgi.input"].read(length).decode("ascii"))
    return short(b"%d" % len(fields), start_response)


def wait(environ, start_response):
    """Waits 20 ms, as for a database."""
    sleep(0.02)
    return short(HELLO, start_response)


def mixed(environ, start_response):
    """Waits 100 ms at /slow and at any path with `?slow=1`; every second /item/ID waits 20 ms."""
    path = environ["PATH_INFO"]
    if path == "/slow" or environ.get("QUERY_STRING") == "slow=1":
        sleep(0.1)
    elif path.startswith("/item/") and int(path[6:]) % 2:
        sleep(0.02)
    else:
        return short(HELLO, start_response)
    return short(SLOW, start_response)


def compute(environ, start_response):
    """At /compute 30 ms of the thread's processor time in Python code; elsewhere hello."""
    if environ["PATH_INFO"] != "/compute":
        return short(HELLO, start_response)
    begun = thread_time()
    while thread_time() - begun < 0.03:
        for _ in range(2000):
            pass
    return short(SLOW, start_response)


def files(environ, start_response):
    """Reads the twenty small files of the folder BENCH_FILES: the lock is given up for each."""
    total = 0
    for path in small_files():
        with open(path, "rb") as stream:
            total += len(stream.read())
    return short(b"%d" % total, start_response)


def small_files():
    """The paths of the twenty files, listed once."""
    if not SMALL_FILES:
        import os

        folder = os.environ["BENCH_FILES"]
        SMALL_FILES.extend(os.path.join(folder, name) for name in sorted(os.listdir(folder)))
    return SMALL_FILES


def short(body, start_response):
    """A whole response of one item, with its length."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


PROBES = {
    "/hello": hello,
    "/post": post,
    "/body": body,
    "/file": file,
    "/chunks": odd_chunks,
    "/list": odd_list,
}


def probes(environ, start_response):
    """Everything the no-cliff probe asks for, on one server."""
    return PROBES[environ["PATH_INFO"]](environ, start_response)

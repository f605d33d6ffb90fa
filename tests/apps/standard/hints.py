"""Sends early hints: before the head, behind it, from a generator, and wrong ones."""
LINK = [("Link", "</style.css>; rel=preload; as=style")]
KEPT = []


def application(environ, start_response):
    hint, path = environ["wsgi.early_hints"], environ["PATH_INFO"]
    headers = [("Content-Type", "text/plain")]
    if path == "/wrong":
        return wrong(environ, start_response, headers)
    if path == "/late":
        return late(hint, start_response, headers)
    if path == "/generator":
        return generator(hint, start_response, headers)
    if path == "/kept":
        KEPT.append(hint)
        for other in KEPT[:-1]:
            other(LINK)
    elif path == "/twice":
        hint(LINK)
        start_response("200 OK", headers)
        hint([("Link", "</b.js>; rel=preload"), ("X-A", "1"), ("X-A", "2")])
        return [b"body"]
    elif path == "/fails":
        hint(LINK)
        raise ValueError("on purpose")
    elif path == "/waits":
        hint(LINK)
        environ["wsgi.input"].read()
        wait_for(path)
    elif path != "/none":
        hint(tuple(LINK))
    start_response("200 OK", headers)
    return [b"body"]


def wait_for(path):
    """Until the client has said so, by a file."""
    import os
    import time

    while not os.path.exists("go"):
        time.sleep(0.01)


def late(hint, start_response, headers):
    write = start_response("200 OK", headers + [("Content-Length", "8")])
    write(b"body")
    hint(LINK)
    yield b"body"
    hint(LINK)


def generator(hint, start_response, headers):
    hint(LINK)
    yield b""
    hint(LINK)
    start_response("200 OK", headers)
    yield b"bo"
    hint(LINK)
    yield b"dy"


def wrong(environ, start_response, headers):
    found = []
    for given in (
        [("Link", "a\r\nX-Evil: 1")],
        [("Li nk", "a")],
        [("Link", 5)],
        [("Connection", "close")],
        ["Link"],
        5,
    ):
        try:
            environ["wsgi.early_hints"](given)
            found.append("none")
        except Exception as error:
            found.append(type(error).__name__)
    start_response("200 OK", headers)
    return [" ".join(found).encode("ascii")]


def register(evwsgi, base):
    evwsgi.wsgi_gen_cb(application)

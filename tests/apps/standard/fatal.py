"""An application that closes what the loop polls with or is woken by, by mistake."""

import os


def numbers(kind):
    """The numbers of the process's descriptors of this kind."""
    for number in os.listdir("/proc/self/fd"):
        try:
            if os.readlink("/proc/self/fd/" + number) == "anon_inode:[%s]" % kind:
                yield int(number)
        except OSError:
            pass


def application(environ, start_response):
    path = environ["PATH_INFO"]
    for kind in ("eventpoll", "eventfd"):
        for number in numbers(kind) if path.endswith(kind) else ():
            os.close(number)
    if path.endswith("file"):
        for number in numbers("eventfd"):
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, number)
            os.close(null)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]


def register(evwsgi, base):
    evwsgi.wsgi_cb(("/", application))

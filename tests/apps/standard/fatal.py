"""An application that closes what the loop polls with, by mistake."""

import os


def polls():
    """The numbers of the process's epoll instances."""
    for number in os.listdir("/proc/self/fd"):
        try:
            if os.readlink("/proc/self/fd/" + number) == "anon_inode:[eventpoll]":
                yield int(number)
        except OSError:
            pass


def application(environ, start_response):
    if environ["PATH_INFO"].endswith("mistake"):
        for number in polls():
            os.close(number)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]


def register(evwsgi, base):
    evwsgi.wsgi_cb(("/", application))

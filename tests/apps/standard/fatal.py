"""An application that closes what the loop polls with or is woken by, by mistake."""

import os
import socket
import sys

CLIENTS = []


def numbers(kind):
    """The numbers of the process's descriptors of this kind."""
    for number in os.listdir("/proc/self/fd"):
        try:
            if os.readlink("/proc/self/fd/" + number) == "anon_inode:[%s]" % kind:
                yield int(number)
        except OSError:
            pass


def give_number_to_client(port):
    """Close the eventfd while a client waits; the kernel gives the lowest number that is free."""
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(b"GET /late HTTP/1.0\r\n\r\n")
    CLIENTS.append(client)
    (number,) = numbers("eventfd")
    while os.open(os.devnull, os.O_RDONLY) < number:
        pass
    os.close(number)


def application(environ, start_response):
    path = environ["PATH_INFO"]
    print("called %s" % path)
    sys.stdout.flush()
    if path.endswith("client"):
        give_number_to_client(int(environ["QUERY_STRING"]))
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

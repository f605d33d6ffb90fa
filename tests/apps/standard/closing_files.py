"""Files that are closed between the call and the send, when another file has their number."""

import io
import os
import tempfile

FOLDER = tempfile.mkdtemp()
KEPT = []


def path(letter):
    name = os.path.join(FOLDER, letter)
    with open(name, "wb") as out:
        out.write(letter.encode("ascii") * 200000)
    return name


class Closing(object):
    """A header value that closes the file of the result, and opens another, when it is rendered."""

    def __init__(self, file):
        self.file = file

    def __str__(self):
        self.file.close()
        KEPT.append(open(path("b"), "rb"))
        return "closing"


class Raw(io.RawIOBase):
    """The stream under a buffered one, which does the same when it is asked where it is."""

    armed = False

    def __init__(self):
        io.RawIOBase.__init__(self)
        self.file = io.open(path("a"), "rb", buffering=0)

    def readable(self):
        return True

    def seekable(self):
        return True

    def fileno(self):
        return self.file.fileno()

    def readinto(self, into):
        return self.file.readinto(into)

    def seek(self, *arguments):
        return self.file.seek(*arguments)

    def tell(self):
        position = self.file.tell()
        if self.armed:
            self.file.close()
            KEPT.append(open(path("b"), "rb"))
        return position


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/header":
        result = open(path("a"), "rb")
        start_response.response_headers["X-Closing"] = Closing(result)
        return result
    raw = Raw()
    result = io.BufferedReader(raw)
    raw.armed = True
    return result


def register(evwsgi, base):
    evwsgi.wsgi_gen_cb(application)

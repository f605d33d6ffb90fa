"""Every kind of result, for the access log: each path has its own."""

import io
import os


def register(evwsgi, base):
    folder = os.environ.get("LOGGED_FOLDER")
    if folder:
        os.chdir(folder)

    class Reader(object):
        """An object with `read` alone."""

        def __init__(self, content):
            self.read = io.BytesIO(content).read

    def closing():
        yield b"one"
        raise ValueError("in the middle")

    def application(environ, start_response):
        path = environ["PATH_INFO"]
        environ["logged.user"] = "a\"b"
        environ["LOGGED_NUMBER"] = 7
        if path == "/fails":
            raise ValueError
        if path == "/stats":
            start_response("200 OK", [])
            return [str(evwsgi.stats()["lost_log_lines"]).encode("ascii")]
        if path == "/reopen":
            start_response("200 OK", [])
            return [repr(evwsgi.reopen_access_log()).encode("ascii")]
        headers = [("X-Shop", 'a"b')]
        if path == "/empty":
            start_response("204 No Content", headers)
            return []
        write = start_response("200 Fine So Far", headers)
        if path == "/generator":
            return (item for item in [b"one", b"", b"two"])
        if path == "/broken":
            return closing()
        if path == "/writes":
            write(b"one")
            write(b"two")
            return [b"three"]
        if path == "/bytes":
            return b"hello"
        if path == "/bytearray":
            return bytearray(b"hello")
        if path == "/reader":
            return Reader(b"hello")
        if path == "/file":
            served = open(__file__, "rb")
            return environ["wsgi.file_wrapper"](served)
        if path == "/long":
            return [b"x" * 100000] * 3
        return [b"hello"]

    evwsgi.wsgi_gen_cb(application)

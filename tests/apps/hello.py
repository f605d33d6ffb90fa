"""Answers `/hello` and, for any other URI, with what the request was."""


def hello(environ, start_response):
    """A list of one short item."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello World!!"]


def echo(environ, start_response):
    """The method, the path and the query, a line each."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    names = ["REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING"]
    return [(name + "=" + environ[name] + "\n").encode("latin-1") for name in names]


def register(evwsgi, base):
    """One prefix, and a callback for everything else."""
    evwsgi.wsgi_cb(("/hello", hello))
    evwsgi.wsgi_gen_cb(echo)

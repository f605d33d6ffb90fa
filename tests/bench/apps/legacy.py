"""Callbacks in the manner of a Fapws3 deployment, for Python 2.7 and the pristine base module.

They give a Content-Length: of an answer that only the connection's end delimits, wrk counts the end
as an error and opens one more connection, which the server would be charged for.
"""


def hello(environ, start_response):
    """One short item."""
    return answered("Hello, World!", start_response)


def post(environ, start_response):
    """How many fields the form had: the server parses it into `fapws.params`."""
    return answered(str(len(environ["fapws.params"])), start_response)


def answered(text, start_response):
    """The text as a whole answer."""
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))]
    start_response("200 OK", headers)
    return [text]

"""Which dialect a request is served in, read from its environ.

Owns that one decision. `config.dialect` would be wrong: an environment variable wins over
it, and an application of this package may run under another WSGI server.
"""


def is_standard(environ):
    """True for a PEP 3333 environ, False for one of the legacy dialect.

    Servers that speak PEP 3333 offer `wsgi.file_wrapper`; `base.Environ` never holds it.
    """
    return "wsgi.file_wrapper" in environ

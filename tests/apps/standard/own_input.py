"""A program whose Environ brings a `wsgi.input` of its own, which is written to and read from."""
import io


class Mine(io.BytesIO):
    """Any object with `write`, `seek` and `read`."""


def register(evwsgi, base):
    class Environ(base.Environ):
        def __init__(self, *arguments, **options):
            super(Environ, self).__init__(*arguments, **options)
            self["wsgi.input"] = Mine()

    base.Environ = Environ

    def tell(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        body = environ["wsgi.input"]
        told = "%s %d" % (type(body).__name__, len(body.read()))
        return [told.encode("ascii")]

    evwsgi.wsgi_cb(("/", tell))

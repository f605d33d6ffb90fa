"""What the ini file names: an application and a filter, each made by a factory.

Paste Deploy calls a factory with the file's global settings and those of its own section.
"""


def make_greeting(global_conf, words):
    """The application: greets the name in the query."""

    def greeting(environ, start_response):
        who = environ["fapws.params"].get("who", ["stranger"])[0]
        start_response("200 OK", [("Content-Type", "text/plain")])
        text = "%s, %s!\n" % (words, who)
        return [text if isinstance(text, bytes) else text.encode("latin-1")]

    return greeting


def make_stamp(global_conf, header, value):
    """The filter: adds one header to every response of the application it wraps."""

    def wrap(application):
        def stamped(environ, start_response):
            def with_stamp(status, headers, exc_info=None):
                return start_response(status, list(headers) + [(header, value)], exc_info)

            return application(environ, with_stamp)

        return stamped

    return wrap

"""The methods and attributes of base.Start_response, used on what the core hands out."""


def register(evwsgi, base):
    def application(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/before":
            start_response.add_header("X-Early", "1")
            start_response.set_cookie("a", "1")
            start_response("201 Created", [("X-Given", "2"), ("Set-Cookie", "b=2")])
        elif path == "/after":
            start_response("201 Created", [("X-Given", "2"), ("Set-Cookie", "b=2")])
            start_response.add_header("X-Late", "3")
            start_response.add_header("X-Given", "changed")
            start_response.set_cookie("a", "1", max_age=60)
            start_response.set_cookie("c", "3", domain="example.net", secure=True)
        elif path == "/attributes":
            start_response("200 OK", [])
            start_response.status_code = "404"
            start_response.status_reasons = "Gone Fishing"
            start_response.response_headers["X-Dict"] = "yes"
        elif path == "/uncalled":
            start_response.add_header("X-Only", "1")
        elif path == "/splitting":
            start_response("200 OK", [])
            try:
                start_response.add_header("X", "a\r\nY: b")
            except ValueError:
                return [b"ValueError"]
        elif path == "/splitting-dict":
            start_response("200 OK", [])
            start_response.response_headers["X"] = "a\r\nY: b"
        elif path == "/hop":
            start_response("200 OK", [])
            start_response.add_header("Transfer-Encoding", "chunked")
        return [b"body"]

    evwsgi.wsgi_cb(("/", application))

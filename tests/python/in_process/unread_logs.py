"""A log that nobody reads any more, in a program that has SIGPIPE at its default: the line is lost,
and nothing else."""

import os
import signal
import socket
import sys

from case import Case, ask, evwsgi, main

PATHS = (b"/broken", b"/")


class UnreadLogs(Case):
    def serve_with(self, stderr):
        """Responds to two requests with this stderr; the application of the first raises."""
        address = self.serve("standard")

        def application(environ, start_response):
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            if environ["PATH_INFO"] == "/broken":
                raise ValueError("planned")
            start_response("200 OK", [])
            return [b"served"]

        evwsgi.wsgi_cb(("/", application))
        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(stderr, 2)
        try:
            responses, _ = self.run_with(
                lambda: [ask(address, b"GET %s HTTP/1.0\r\n\r\n" % path) for path in PATHS]
            )
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        self.assertIn(b" 500 ", responses[0])
        self.assertTrue(responses[1].endswith(b"served"), responses)

    def test_a_pipe(self):
        reader, writer = os.pipe()
        os.close(reader)
        self.serve_with(writer)
        os.close(writer)

    def test_a_socket(self):
        reader, writer = socket.socketpair()
        reader.close()
        self.serve_with(writer.fileno())
        writer.close()


if __name__ == "__main__":
    main()

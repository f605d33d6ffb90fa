"""Deferred calls where several threads serve: each is made once, in order."""

import threading
import time

from case import Case, ask, evwsgi, main


class Deferred(Case):
    def test_one_that_waits_is_made_once(self):
        address = self.serve_with_threads()
        made, waits, over = [], threading.Event(), threading.Event()

        def wait(argument):
            made.append(argument)
            waits.set()
            over.wait(60)

        def application(environ, start_response):
            start_response("200 OK", [])
            if environ["PATH_INFO"] == "/defer":
                evwsgi.defer(wait, 1, False)
                evwsgi.defer(made.append, 2, False)
                evwsgi.defer(made.append, 3, False)
            return [b"x"]

        evwsgi.wsgi_cb(("/", application))

        def client():
            ask(address, b"GET /defer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            self.assertTrue(waits.wait(60))
            # Others are served meanwhile.
            for _ in range(5):
                ask(address, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                time.sleep(0.01)
            while_it_waited = list(made)
            over.set()
            deadline = time.time() + 60
            while len(made) < 3 and time.time() < deadline:
                time.sleep(0.01)
            return while_it_waited

        while_it_waited, _ = self.run_with(client)
        self.assertEqual([1], [each for each in while_it_waited if each == 1])
        self.assertEqual([1, 2, 3], sorted(made))


if __name__ == "__main__":
    main()

"""A `run` beside another one, and one that fails when it has begun."""

import os
import sys
import threading

from case import Case, ask, base, evwsgi, listening_on, main


def hello(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]


class Stream(object):
    """A stdout that calls something when it is first written to."""

    def __init__(self, first):
        self.first = first

    def write(self, text):
        first, self.first = self.first, None
        if first:
            first()

    def flush(self):
        pass


class Runs(Case):
    def setUp(self):
        Case.setUp(self)
        self.stdout = sys.stdout

    def tearDown(self):
        sys.stdout = self.stdout

    def listens(self):
        self.serve("standard")
        evwsgi.wsgi_gen_cb(hello)

    def meanwhile(self, call):
        """Runs, with `call` while that begins: in the first line that is printed (on Python 2 the
        core prints by C, so there by a look at the configuration)."""
        if sys.version_info[0] == 2:
            config, base.config = base.config, Looked(base.config, call)
            evwsgi.set_base_module(base)
            evwsgi.wsgi_gen_cb(hello)
            base.config = config
        else:
            sys.stdout = Stream(call)
        client = threading.Thread(target=self.client)
        client.start()
        evwsgi.run()
        client.join()
        self.assertTrue(self.answer.endswith(b"hello"), self.answer)

    def client(self):
        from case import end_run

        self.answer = ask(listening_on())
        end_run()

    def test_one_within_another_that_begins(self):
        self.listens()
        said = []

        def nested():
            for _ in range(3):
                try:
                    evwsgi.run()
                except evwsgi.error as error:
                    said.append(str(error))

        self.meanwhile(nested)
        self.assertEqual(["run() is serving already"] * 3, said)

    def test_one_in_another_thread_while_the_first_begins(self):
        self.listens()
        said = []

        def other():
            try:
                evwsgi.run()
            except evwsgi.error as error:
                said.append(str(error))

        def switch():
            thread = threading.Thread(target=other)
            thread.start()
            thread.join(60)

        self.meanwhile(switch)
        self.assertEqual(["run() is serving already"], said)

    def test_one_that_cannot_open_its_log(self):
        """What it opened for itself is closed: the address can be started again."""
        self.listens()
        port = str(listening_on()[1])
        answer, _ = self.run_with(lambda: ask(listening_on()))
        self.assertTrue(answer.endswith(b"hello"))
        base.config.access_log = os.path.join(self.folder, "missing", "access.log")
        self.assertRaises(OSError, self.printed_by, evwsgi.run)
        del base.config.access_log
        self.assertEqual(-1, int(evwsgi.socket_fd()))
        self.printed_by(evwsgi.start, "127.0.0.1", port)
        answer, _ = self.run_with(lambda: ask(listening_on()))
        self.assertTrue(answer.endswith(b"hello"))


class Looked(object):
    """A configuration that calls something when it is first looked at while `run` begins."""

    def __init__(self, config, call):
        self.__dict__.update(vars(config))
        self.__dict__["dialect"] = "standard"
        self.__dict__.pop("access_log", None)
        self._call = [call]

    def __getattr__(self, name):
        if name == "access_log" and self._call:
            self._call.pop()()
        raise AttributeError(name)


if __name__ == "__main__":
    main()

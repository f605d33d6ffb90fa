"""`on_ready`, `slot_fields` and `share`: what a process that serves says to others."""

import mmap
import os
import struct
import tempfile
import time

from case import Case, ask, end_run, evwsgi, listening_on, main


def application(environ, start_response):
    """Takes as long as the query says, in milliseconds."""
    time.sleep(int(environ.get("QUERY_STRING") or 0) / 1000.0)
    start_response("200 OK", [])
    return [b"here"]


class Ready(Case):
    """`on_ready`."""

    def test_each_run_calls_it_once_and_serves_afterwards(self):
        self.serve()
        evwsgi.wsgi_gen_cb(application)
        calls = []

        def report():
            # Each run listens anew, here at a port of its own.
            calls.append(listening_on())

        self.assertIsNone(evwsgi.on_ready(report))

        def client():
            while not calls:
                time.sleep(0.001)
            return ask(calls[-1])

        for _ in range(2):
            del calls[:]
            answer, _ = self.run_with(client)
            self.assertTrue(answer.endswith(b"here"), answer)
            self.assertEqual(1, len(calls))

    def test_a_signal_that_comes_in_it_ends_run_gracefully(self):
        self.serve()
        evwsgi.on_ready(end_run)
        self.printed_by(evwsgi.run)

    def test_what_it_raises_ends_run(self):
        address = self.serve()
        evwsgi.wsgi_gen_cb(application)

        def fails():
            raise KeyError("on purpose")

        evwsgi.on_ready(fails)
        self.assertRaises(KeyError, self.printed_by, evwsgi.run)
        evwsgi.on_ready(None)  # it listens still: that was no graceful end
        answer, _ = self.run_with(lambda: ask(address))
        self.assertTrue(answer.endswith(b"here"), answer)

    def test_wrong_arguments(self):
        self.assertRaises(TypeError, evwsgi.on_ready)
        self.assertRaises(TypeError, evwsgi.on_ready, 3)


class Shared(Case):
    """`share`."""

    def setUp(self):
        Case.setUp(self)
        self.fields = evwsgi.slot_fields()
        self.size = 8 * len(self.fields)
        self.file = tempfile.TemporaryFile()
        self.file.truncate(5 * self.size)
        self.memory = mmap.mmap(self.file.fileno(), 5 * self.size)

    def slot(self, index):
        """The numbers of a slot, by name."""
        words = struct.unpack_from("%dQ" % len(self.fields), self.memory, index * self.size)
        return dict(zip(self.fields, words))

    def test_what_is_counted_stands_in_the_slot(self):
        place = self.fields.index("requests")
        struct.pack_into("Q", self.memory, 2 * self.size + 8 * place, 40)
        evwsgi.share(self.file.fileno(), 2 * self.size)
        self.file.close()
        address = self.serve()
        evwsgi.wsgi_gen_cb(application)
        during = []

        def client():
            ask(address)
            ask(address, b"GET /?20 HTTP/1.0\r\n\r\n")
            during.append(self.slot(2))

        self.run_with(client)
        after, stats = self.slot(2), evwsgi.stats()
        self.assertEqual(42, after["requests"])
        self.assertEqual(2, stats["requests"])
        self.assertEqual(2, after["responses_2xx"])
        self.assertEqual(2, after["accepted"])
        self.assertEqual(os.getpid(), after["pid"])
        self.assertEqual(2, sum(after[name] for name in self.fields if name.startswith("call_le_")))
        quick = sum(after["call_le_%dms" % bound] for bound in (1, 5, 10))
        self.assertTrue(quick <= 1, after)
        self.assertTrue(after["call_microseconds"] >= 20000, after)
        self.assertEqual(1, during[0]["threads"])
        for name in ("connections", "late_since", "draining", "busy_threads"):
            self.assertEqual(0, after[name], name)
        self.assertEqual({0}, set(self.slot(1).values()) | set(self.slot(3).values()))

    def test_a_call_is_seen_while_it_lasts(self):
        evwsgi.share(self.file.fileno(), 0)
        address = self.serve()
        seen = []

        def look(environ, start_response):
            seen.append(self.slot(0))
            start_response("200 OK", [])
            return [b"here"]

        evwsgi.wsgi_gen_cb(look)

        def client():
            ask(address)
            # The response is there before the loop waits again.
            deadline = time.time() + 60
            while self.slot(0)["late_since"] and time.time() < deadline:
                time.sleep(0.001)
            seen.append(self.slot(0))

        self.run_with(client)
        self.assertTrue(seen[0]["late_since"] > 0)
        self.assertEqual((1, 1), (seen[0]["busy_threads"], seen[0]["connections"]))
        self.assertEqual((0, 0), (seen[1]["late_since"], seen[1]["busy_threads"]))

    def test_what_cannot_be_shared(self):
        descriptor = self.file.fileno()
        for offset in (4, -8, 4 * self.size + 8, 1 << 62):
            self.assertRaises(evwsgi.error, evwsgi.share, descriptor, offset)
        self.assertRaises(evwsgi.error, evwsgi.share, -1, 0)
        self.assertRaises(TypeError, evwsgi.share, "0", 0)
        evwsgi.share(descriptor, 0)
        self.assertRaises(evwsgi.error, evwsgi.share, descriptor, 0)


if __name__ == "__main__":
    main()

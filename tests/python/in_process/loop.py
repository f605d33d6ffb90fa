"""`run`: how it ends, what it leaves behind, signals, timers, deferred calls, threads, fork."""

import os
import re
import signal
import socket
import sys
import threading
import time

from case import Case, ask, base, end_run, evwsgi, main


def application(environ, start_response):
    """Says which process answers."""
    start_response("200 OK", [])
    return [str(os.getpid()).encode("ascii")]


def body(answer):
    """What stands behind the head."""
    return answer.partition(b"\r\n\r\n")[2]


class Ending(Case):
    """Signals and what `run` restores."""

    def test_sigterm_ends_it_silently(self):
        self.serve()
        evwsgi.add_timer(0.01, end_run)
        answer, text = self.printed_by(evwsgi.run)
        self.assertIsNone(answer)
        self.assertTrue(re.match(r"Using \w+ as event backend\n\Z", text), text)

    def test_sigint_says_goodbye(self):
        self.serve()
        evwsgi.add_timer(0.01, lambda: os.kill(os.getpid(), signal.SIGINT))
        _, text = self.printed_by(evwsgi.run)
        self.assertTrue(text.endswith("event backend\nBye.\n"), text)

    def test_two_sigints_at_once_say_goodbye_once(self):
        def interrupt():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

        self.serve()
        evwsgi.add_timer(0.01, interrupt)
        _, text = self.printed_by(evwsgi.run)
        self.assertTrue(text.endswith("event backend\nBye.\n"), text)

    def test_it_can_run_again(self):
        # Each run listens anew, so the port is a certain one.
        probe = socket.socket()
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        address = self.serve(port=str(port))
        evwsgi.wsgi_gen_cb(application)
        for _ in range(3):
            answer, _ = self.run_with(lambda: ask(address))
            self.assertEqual(str(os.getpid()).encode("ascii"), body(answer))

    def test_the_handlers_of_before_are_back(self):
        self.serve()
        numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGPIPE]
        marks = [lambda number, frame: None for _ in numbers]
        for number, mark in zip(numbers, marks):
            signal.signal(number, mark)
        evwsgi.add_timer(0.01, end_run)
        self.printed_by(evwsgi.run)
        self.assertEqual(marks, [signal.getsignal(number) for number in numbers])
        seen = []
        signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
        end_run()
        self.assertEqual([signal.SIGTERM], seen)

    def test_in_another_thread_it_leaves_signals_alone(self):
        address = self.serve(dialect="standard")
        seen, known = [], []
        numbers = [signal.SIGINT, signal.SIGTERM]

        def handler(number, frame):
            seen.append(number)

        for number in numbers:
            signal.signal(number, handler)

        def look(environ, start_response):
            known.append([signal.getsignal(number) for number in numbers])
            start_response("200 OK", [])
            return [b"looked"]

        evwsgi.wsgi_gen_cb(look)
        for _ in range(2):
            thread = threading.Thread(target=evwsgi.run)
            thread.start()
            self.assertEqual(b"looked", body(ask(address)))
            for number in numbers:
                os.kill(os.getpid(), number)
                while number not in seen:
                    time.sleep(0.01)
            self.assertEqual(b"looked", body(ask(address)))
            evwsgi.stop()
            thread.join()
            self.assertEqual([[handler, handler]] * 2, known)
            del seen[:], known[:]
            address = self.serve(dialect="standard")

    def test_a_run_in_a_run_of_the_main_thread(self):
        self.serve()
        handlers = []
        before = signal.getsignal(signal.SIGTERM)

        def look():
            handlers.append(signal.getsignal(signal.SIGTERM))
            self.assertRaises(evwsgi.error, evwsgi.run)
            handlers.append(signal.getsignal(signal.SIGTERM))
            end_run()

        evwsgi.add_timer(0.01, look)
        self.printed_by(evwsgi.run)
        self.assertTrue(callable(handlers[0]))
        self.assertIs(handlers[0], handlers[1])
        self.assertEqual(before, signal.getsignal(signal.SIGTERM))

    def test_our_handler_means_nothing_new_after_the_run(self):
        self.serve()
        handlers, seen = [], []
        signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))

        def look():
            handlers.append(signal.getsignal(signal.SIGTERM))
            end_run()

        evwsgi.add_timer(0.01, look)
        self.printed_by(evwsgi.run)
        self.assertEqual([], seen)
        signal.signal(signal.SIGTERM, handlers[0])
        end_run()
        self.assertEqual([signal.SIGTERM], seen)

    def test_a_handler_of_the_program_runs_on_an_idle_server(self):
        self.serve()
        seen = []

        def handler(number, frame):
            seen.append(number)
            end_run()

        signal.signal(signal.SIGUSR1, handler)
        thread = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGUSR1])
        thread.start()
        self.printed_by(evwsgi.run)
        self.assertEqual([signal.SIGUSR1], seen)

    def test_a_handler_that_raises_ends_it(self):
        self.serve()

        def handler(number, frame):
            raise KeyError("from the handler")

        signal.signal(signal.SIGHUP, handler)
        thread = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGHUP])
        thread.start()
        self.assertRaises(KeyError, self.printed_by, evwsgi.run)

    def test_what_is_printed_keeps_its_order(self):
        self.serve()
        evwsgi.add_timer(0.01, end_run)

        def program():
            print("before")
            evwsgi.run()
            print("after")

        _, text = self.printed_by(program)
        lines = text.splitlines()
        self.assertEqual(("before", "after", 3), (lines[0], lines[2], len(lines)))


class Backends(Case):
    """LIBEV_FLAGS picks how libev waits."""

    def check(self, flags, name):
        """Serve one request with this backend."""
        os.environ["LIBEV_FLAGS"] = flags
        address = self.serve()
        evwsgi.wsgi_gen_cb(application)
        answer, text = self.run_with(lambda: ask(address))
        self.assertEqual(str(os.getpid()).encode("ascii"), body(answer))
        self.assertEqual("Using %s as event backend\n" % name, text.splitlines(True)[0])

    def test_select(self):
        self.check("1", "select")

    def test_poll(self):
        self.check("2", "poll")

    def test_epoll(self):
        if sys.platform.startswith("linux"):
            self.check("4", "epoll")


class Dispatch(Case):
    """Which application answers."""

    def test_every_start_is_served(self):
        first, second = self.serve(), self.serve()
        evwsgi.wsgi_gen_cb(application)
        answers, _ = self.run_with(lambda: [ask(first), ask(second)])
        self.assertEqual([str(os.getpid()).encode("ascii")] * 2, [body(each) for each in answers])

    def test_the_last_generic_callback_wins_and_is_owned(self):
        address = self.serve()
        evwsgi.wsgi_gen_cb(lambda environ, start_response: [b"first"])
        evwsgi.wsgi_gen_cb(lambda environ, start_response: [b"second"])
        answer, _ = self.run_with(lambda: ask(address))
        self.assertEqual(b"second", body(answer))

    def test_set_base_module_empties_the_list_only(self):
        address = self.serve()
        evwsgi.wsgi_cb(("/gone", lambda environ, start_response: [b"gone"]))
        evwsgi.wsgi_gen_cb(lambda environ, start_response: [b"generic"])
        evwsgi.set_base_module(base)
        evwsgi.wsgi_cb(("/new", lambda *_: [b"new"]))
        requests = [b"GET /gone HTTP/1.0\r\n\r\n", b"GET /new HTTP/1.0\r\n\r\n"]
        answers, _ = self.run_with(lambda: [ask(address, each) for each in requests])
        self.assertEqual([b"generic", b"new"], [body(each) for each in answers])


class Timers(Case):
    """Timers that fire."""

    def test_it_repeats_whatever_it_answers_but_false(self):
        self.serve()
        answers = [None, 0, True, ""]
        counts = [0] * len(answers)

        def tick(number):
            counts[number] += 1
            if min(counts) >= 3:
                end_run()
            return answers[number]

        for number in range(len(answers)):
            evwsgi.add_timer(0.01, lambda number=number: tick(number))
        evwsgi.add_timer(30, end_run)
        self.printed_by(evwsgi.run)
        self.assertGreaterEqual(min(counts), 3)

    def test_the_object_false_stops_it(self):
        self.serve()
        seen = []
        evwsgi.add_timer(0.01, lambda: bool(seen.append(1)))
        evwsgi.add_timer(0.3, end_run)
        self.printed_by(evwsgi.run)
        self.assertEqual(1, len(seen))

    def test_an_exception_is_printed_and_stops_it(self):
        self.serve()
        seen = []

        def fail():
            seen.append(1)
            raise KeyError("a timer's")

        evwsgi.add_timer(0.01, fail)
        evwsgi.add_timer(0.3, end_run)
        self.printed_by(evwsgi.run)
        self.assertEqual(1, len(seen))

    def test_delay_zero_fires_once(self):
        self.serve()
        seen = []
        evwsgi.add_timer(0, lambda: seen.append(1))
        evwsgi.add_timer(0.2, end_run)
        self.printed_by(evwsgi.run)
        self.assertEqual(1, len(seen))

    def test_stop_and_restart(self):
        self.serve()
        seen = []

        def steps():
            seen.append("step")
            if seen.count("step") == 1:
                evwsgi.stop_timer(0)
            elif seen.count("step") == 2:
                evwsgi.restart_timer(0)
            elif "tick" in seen:
                end_run()

        evwsgi.add_timer(0.3, lambda: seen.append("tick"))
        evwsgi.add_timer(0.2, steps)
        self.printed_by(evwsgi.run)
        self.assertEqual(["step", "step"], seen[:2])
        self.assertIn("tick", seen)

    def calls_of_one_added_while_running(self, dialect):
        """How often it fired, of the once that it asks for."""
        self.serve(dialect)
        seen = []

        def add():
            evwsgi.add_timer(0.05, lambda: bool(seen.append(1)))
            return False

        evwsgi.add_timer(0.01, add)
        evwsgi.add_timer(0.5, end_run)
        self.printed_by(evwsgi.run)
        return len(seen)

    def test_one_added_while_running_does_not_start_in_the_legacy_dialect(self):
        self.assertEqual(0, self.calls_of_one_added_while_running("legacy"))

    def test_one_added_while_running_starts_in_the_standard_dialect(self):
        self.assertEqual(1, self.calls_of_one_added_while_running("standard"))


class Deferred(Case):
    """Deferred calls that run."""

    def test_in_order_one_argument_each(self):
        self.serve()
        seen = []
        for number in range(5):
            evwsgi.defer(lambda n: seen.append((n, evwsgi.defer_queue_size())), number, False)
        evwsgi.defer(lambda _: end_run(), None, False)
        self.printed_by(evwsgi.run)
        # A call that runs still counts.
        self.assertEqual([(0, 6), (1, 5), (2, 4), (3, 3), (4, 2)], seen)
        self.assertIsNone(evwsgi.defer_queue_size())

    def test_one_that_defers_itself_holds_up_nobody(self):
        address = self.serve()
        evwsgi.wsgi_gen_cb(application)

        def again(argument):
            evwsgi.defer(again, argument, True)

        evwsgi.defer(again, None, True)
        answer, _ = self.run_with(lambda: ask(address))
        self.assertEqual(str(os.getpid()).encode("ascii"), body(answer))

    def test_an_exception_is_told_and_the_queue_goes_on(self):
        self.serve()
        evwsgi.defer(lambda a: {}[a], "key", False)
        evwsgi.defer(lambda: None, "too many", False)
        evwsgi.defer(lambda _: end_run(), None, False)
        _, text = self.printed_by(evwsgi.run)
        lines = text.split("\n")
        self.assertEqual(2, lines.count("ERROR!!!! Defer callback function as a problem. "), text)
        self.assertEqual(2, lines.count("I remind that it takes always one argumet"), text)


class Processes(Case):
    """Threads and children."""

    def test_other_threads_run_while_it_waits(self):
        self.serve()
        counted = []

        def count():
            for number in range(20):
                counted.append(number)
                time.sleep(0.001)
            end_run()

        thread = threading.Thread(target=count)
        # Before `run`, the signal would end the process.
        evwsgi.defer(lambda _: thread.start(), None, False)
        self.printed_by(evwsgi.run)
        thread.join()
        self.assertEqual(20, len(counted))

    def test_stop_ends_it_from_a_callback_and_from_another_thread(self):
        self.serve()
        evwsgi.defer(lambda _: evwsgi.stop(), None, False)
        self.printed_by(evwsgi.run)
        thread = threading.Timer(0.1, evwsgi.stop)
        thread.start()
        self.printed_by(evwsgi.run)
        thread.join()
        self.assertIs(None, evwsgi.stop())

    def test_a_timer_of_another_thread_fires(self):
        """In the standard dialect, where a timer starts at once."""
        self.serve(dialect="standard")
        thread = threading.Timer(0.1, evwsgi.add_timer, [0.01, evwsgi.stop])
        thread.start()
        self.printed_by(evwsgi.run)
        thread.join()

    def test_children_of_a_fork_share_the_socket(self):
        address = self.serve()
        evwsgi.wsgi_gen_cb(application)
        children = []
        for _ in range(3):
            child = os.fork()
            if child == 0:
                self.printed_by(evwsgi.run)
                os._exit(0)
            children.append(child)
        try:
            # A child alone answers, whichever it is: the others are told to stand aside first.
            waiting = list(children)
            while waiting:
                answered = int(body(ask(address)))
                self.assertIn(answered, waiting)
                os.kill(answered, signal.SIGTERM)
                self.assertEqual((answered, 0), os.waitpid(answered, 0))
                waiting.remove(answered)
        finally:
            for child in waiting:
                os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main()

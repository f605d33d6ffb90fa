"""A handler of a signal raises while the server makes or writes a line of its log."""

import os
import signal
import sys
import threading
import traceback
import unittest

from case import Case, ask, base, end_run, evwsgi, main


#: An ordinary signal, and the last one that there is.
SIGNALS = (signal.SIGUSR1, getattr(signal, "SIGRTMAX", signal.SIGUSR2))


class Interrupted(Exception):
    """By the handler."""


class Interruptions(Case):
    def interrupt(self, number, frame):
        raise Interrupted

    def run_until_raised(self, dialect, raised=Interrupted, stderr=None):
        """`run`, to which a request comes whose application raises, once stderr is this one."""
        for number in SIGNALS:
            signal.signal(number, self.interrupt)
        address = self.serve(dialect)

        def broken(environ, start_response):
            sys.stderr = stderr or sys.stderr
            raise ValueError("planned")

        evwsgi.wsgi_gen_cb(broken)

        def work():
            ask(address)
            # Where run() goes on nevertheless.
            end_run()

        threading.Thread(target=work).start()
        self.assertRaises(raised, self.printed_by, evwsgi.run)

    def interrupt_once_in(self, module, name):
        """The signal comes while this function runs, once."""
        original = getattr(module, name)

        def interrupted(*arguments, **keywords):
            setattr(module, name, original)
            os.kill(os.getpid(), signal.SIGUSR1)
            for _ in range(1000):
                pass
            return original(*arguments, **keywords)

        setattr(module, name, interrupted)

    def test_while_a_traceback_is_made(self):
        self.interrupt_once_in(traceback, "format_exception")
        self.run_until_raised("standard")

    def test_while_a_program_makes_the_traceback(self):
        self.interrupt_once_in(base, "redirectStdErr")
        self.run_until_raised("legacy")

    def test_an_exit_while_a_line_is_written(self):
        class Stream(object):
            def write(self, text):
                sys.stderr = sys.__stderr__
                sys.exit(3)

            def flush(self):
                pass

        self.run_until_raised("standard", SystemExit, Stream())

    @unittest.skipIf(sys.version_info < (3,), "threads need Python 3")
    def test_while_a_thread_starts(self):
        start = threading.Thread.start

        def interrupted(thread):
            start(thread)
            if thread.name.startswith("fapws-"):
                threading.Thread.start = start
                os.kill(os.getpid(), signal.SIGUSR1)
                for _ in range(1000):
                    pass

        threading.Thread.start = interrupted
        self.addCleanup(setattr, threading.Thread, "start", start)
        base.config.threads = 2
        self.addCleanup(setattr, base.config, "threads", 1)
        signal.signal(signal.SIGUSR1, self.interrupt)
        self.serve("standard")
        # Where run() goes on nevertheless.
        end = threading.Timer(5, end_run)
        end.start()
        self.assertRaises(Interrupted, self.printed_by, evwsgi.run)
        end.cancel()

    def test_while_the_line_is_written(self):
        self.run_until_raised_by_stream("write")

    @unittest.skipIf(sys.version_info < (3,), "Python 2 flushes no stream but its own files")
    def test_after_the_line_was_written(self):
        self.run_until_raised_by_stream("flush")

    def test_while_the_stream_is_looked_at(self):
        self.run_until_raised_by_stream("fileno", SIGNALS[-1])

    def run_until_raised_by_stream(self, name, number=signal.SIGUSR1):
        """The signal comes in a method of the program's own stderr."""

        class Stream(object):
            def write(self, text):
                pass

            flush = fileno = write

        def interrupted(self, *arguments):
            sys.stderr = sys.__stderr__
            os.kill(os.getpid(), number)
            for _ in range(1000):
                pass

        setattr(Stream, name, interrupted)
        self.run_until_raised("standard", stderr=Stream())


if __name__ == "__main__":
    main()

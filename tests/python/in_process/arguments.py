"""Every function of `_evwsgi` with right and wrong arguments, as the module's reference tells."""

import gc
import locale
import resource
import sys
import weakref
from socket import SO_REUSEADDR, SOL_SOCKET, fromfd, AF_INET, SOCK_STREAM

from case import PYTHON_2, Case, base, evwsgi, main

NAMES = """
    start set_base_module wsgi_cb wsgi_gen_cb run parse_query set_debug get_debug libev_version
    add_timer stop_timer restart_timer defer defer_queue_size rfc1123_date socket_fd
""".split()


def application(environ, start_response):
    """Never called here."""


class Module(Case):
    """The module's names."""

    def test_every_function_is_there(self):
        for name in NAMES:
            self.assertTrue(callable(getattr(evwsgi, name)), name)

    def test_error_is_an_exception_class(self):
        self.assertTrue(issubclass(evwsgi.error, Exception))
        self.assertEqual(evwsgi.error.__bases__, (Exception,))
        self.assertEqual(("_evwsgi", "error"), (evwsgi.error.__module__, evwsgi.error.__name__))

    def test_functions_without_parameters_ignore_any(self):
        self.assertEqual(0, evwsgi.get_debug(1, "two"))
        self.assertEqual(evwsgi.libev_version(), evwsgi.libev_version(None))
        self.assertIsNone(evwsgi.defer_queue_size(object()))
        self.assertEqual(-1, evwsgi.socket_fd(1))
        base.config.dialect = "standard"
        self.assertRaises(evwsgi.error, evwsgi.run, 1, 2)

    def test_functions_take_no_keywords(self):
        for name in NAMES:
            with self.assertRaises(TypeError) as caught:
                getattr(evwsgi, name)(host="127.0.0.1")
            self.assertEqual("%s() takes no keyword arguments" % name, str(caught.exception))

    def test_a_float_is_no_integer(self):
        evwsgi.add_timer(1, lambda: None)
        for name in ["set_debug", "stop_timer", "restart_timer", "start_fd"]:
            self.assertRaises(TypeError, getattr(evwsgi, name), 0.5)

    def test_what_is_no_path(self):
        for wrong in [(), (1,), (None,), ("/nowhere/socket", "0600"), ("/nowhere/socket", -1, 0.5)]:
            self.assertRaises(TypeError, evwsgi.listen_unix, *wrong)
        with self.assertRaises(evwsgi.error) as caught:
            evwsgi.listen_unix(path="/nowhere/socket", mode=0o600)
        self.assertEqual("No such file or directory", str(caught.exception))

    def test_wrong_arguments_leak_nothing(self):
        evwsgi.set_base_module(base)
        wrong = [
            (evwsgi.start, (1, 2)),
            (evwsgi.start, ("x" * 1000, None)),
            (evwsgi.listen_unix, ("x" * 1000, -1)),
            (evwsgi.set_base_module, (object(),)),
            (evwsgi.wsgi_cb, (("x" * 1000, 1),)),
            (evwsgi.wsgi_cb, (["/", application],)),
            (evwsgi.parse_query, (1,)),
            (evwsgi.add_timer, (-1, application)),
            (evwsgi.add_timer, (1, "x" * 1000)),
            (evwsgi.stop_timer, (5,)),
            (evwsgi.defer, (1, 2, 3)),
            (evwsgi.rfc1123_date, ("x",)),
            (evwsgi.rfc1123_date, (1 << 200,)),
        ]

        def call_all(times):
            for _ in range(times):
                for function, arguments in wrong:
                    try:
                        function(*arguments)
                    except Exception:
                        continue
                    raise AssertionError((function, arguments))
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        before = call_all(500)
        references = sys.getrefcount(application)
        after = call_all(10000)
        self.assertEqual(references, sys.getrefcount(application))
        # 10,000 rounds of a leaked object are more than this, whatever the object.
        self.assertLess(after - before, 400, "KiB")


class Start(Case):
    """`start` and `socket_fd`; what a socket file may be is in listening.py."""

    def test_parameters_that_are_not_two_strings(self):
        for arguments in [(), ("h",), ("h", "0", "x"), (1, "0"), ("h", None), (None, None)]:
            with self.assertRaises(evwsgi.error) as caught:
                evwsgi.start(*arguments)
            words = "Failed to parse the start parameters. Must be 2 strings."
            self.assertEqual(words, str(caught.exception), arguments)

    def test_it_listens_at_once_and_says_so(self):
        answer, text = self.printed_by(evwsgi.start, "127.0.0.1", "0")
        self.assertIsNone(answer)
        self.assertEqual("listen on 127.0.0.1:0\n", text)
        listener = fromfd(int(evwsgi.socket_fd()), AF_INET, SOCK_STREAM)
        self.assertEqual(1, listener.getsockopt(SOL_SOCKET, SO_REUSEADDR))
        self.assertNotEqual(0, listener.getsockname()[1])

    def test_an_integer_port(self):
        _, text = self.printed_by(evwsgi.start, "127.0.0.1", 0)
        self.assertEqual("listen on 127.0.0.1:0\n", text)

    def test_integers_that_are_no_port(self):
        for port in [-1, 65536, 1 << 100]:
            self.assertRaises(evwsgi.error, evwsgi.start, "127.0.0.1", port)

    def test_socket_fd(self):
        self.assertEqual(-1, evwsgi.socket_fd())
        self.printed_by(evwsgi.start, "127.0.0.1", "0")
        first = evwsgi.socket_fd()
        self.printed_by(evwsgi.start, "127.0.0.1", "0")
        last = evwsgi.socket_fd()
        self.assertNotEqual(first, last)
        self.assertGreater(last, 2)
        if PYTHON_2:
            self.assertEqual("long", type(last).__name__)

    def test_a_name_that_does_not_resolve(self):
        for host, port in [("127.0.0.1", "no-such-service"), ("no host has blanks", "80")]:
            with self.assertRaises(evwsgi.error) as caught:
                evwsgi.start(host, port)
            self.assertTrue(str(caught.exception).startswith("getaddrinfo: "), caught.exception)
        self.assertEqual(-1, evwsgi.socket_fd())

    def test_a_port_in_use(self):
        self.printed_by(evwsgi.start, "127.0.0.1", "0")
        listener = fromfd(int(evwsgi.socket_fd()), AF_INET, SOCK_STREAM)
        port = str(listener.getsockname()[1])
        with self.assertRaises(evwsgi.error) as caught:
            evwsgi.start("127.0.0.1", port)
        said = "server: failed to bind: Address already in use (127.0.0.1:%s)" % port
        self.assertEqual(said, str(caught.exception))

    def test_strings_with_a_nul(self):
        for arguments in [("127.0.0.1\0", "0"), ("127.0.0.1", "0\0")]:
            self.assertRaises((evwsgi.error, TypeError, ValueError), evwsgi.start, *arguments)


class BaseModule(Case):
    """`set_base_module`, `wsgi_cb`, `wsgi_gen_cb`, `run`."""

    def test_set_base_module_wants_one_object(self):
        self.assertRaises(TypeError, evwsgi.set_base_module)
        self.assertRaises(TypeError, evwsgi.set_base_module, base, base)
        self.assertIsNone(evwsgi.set_base_module(base))

    def test_a_base_module_that_lacks_something_changes_nothing(self):
        class Config:
            SERVER_IDENT = "x"

        class Other:
            config = Config

        for module in [object(), Config, Other]:
            self.assertRaises(AttributeError, evwsgi.set_base_module, module)
        with self.assertRaises(evwsgi.error) as caught:
            evwsgi.wsgi_cb(("/", application))
        self.assertEqual("Base module not set", str(caught.exception))

    def test_an_ident_that_would_split_the_head(self):
        class Config:
            SERVER_IDENT = "x\r\nSet-Cookie: y"
            date_format = ""

        class Other:
            config = Config

        self.assertRaises(ValueError, evwsgi.set_base_module, Other)

    def test_wsgi_cb_wants_a_string_and_a_callable(self):
        evwsgi.set_base_module(base)
        self.assertIsNone(evwsgi.wsgi_cb(("/", application)))
        wrong = [
            None,
            "/",
            ["/", application],
            (),
            ("/",),
            ("/", application, application),
            (1, application),
            ("/", 1),
            (application, "/"),
        ]
        for argument in wrong:
            self.assertRaises(TypeError, evwsgi.wsgi_cb, argument)
        self.assertRaises(TypeError, evwsgi.wsgi_cb)
        self.assertRaises(TypeError, evwsgi.wsgi_cb, "/", application)

    def test_wsgi_gen_cb_wants_one_object(self):
        self.assertRaises(TypeError, evwsgi.wsgi_gen_cb)
        self.assertRaises(TypeError, evwsgi.wsgi_gen_cb, application, application)
        self.assertIsNone(evwsgi.wsgi_gen_cb(application))

    def test_run_without_start(self):
        # In the legacy dialect it runs timers; tests/python/legacy/test_loop.py.
        base.config.dialect = "standard"
        self.assertRaises(evwsgi.error, evwsgi.run)
        evwsgi.set_base_module(base)
        self.assertRaises(evwsgi.error, evwsgi.run)

    def test_run_without_a_base_module(self):
        self.printed_by(evwsgi.start, "127.0.0.1", "0")
        self.assertRaises(evwsgi.error, evwsgi.run)


class Queries(Case):
    """`parse_query`."""

    def test_pairs(self):
        expected = {
            "": {},
            "a=1": {"a": ["1"]},
            "a=1&b=2&a=3": {"a": ["1", "3"], "b": ["2"]},
            "a": {"a": [""]},
            "a=": {"a": [""]},
            "a=b=c": {"a": ["b=c"]},
            "a+b=c+d": {"a b": ["c d"]},
            "%61%3D=%26%20": {"a=": ["& "]},
            "a=%": {"a": ["%"]},
            "a=%4": {"a": ["%4"]},
            "a=%zz%41": {"a": ["%zzA"]},
        }
        for text, answer in expected.items():
            self.assertEqual(answer, evwsgi.parse_query(text), text)

    def test_names_come_again(self):
        """The core keeps the names of late; what it keeps, and what not, is not to be seen."""
        lengths = [1, 2, 7, 8, 9, 16, 17, 63, 64, 65, 200]
        names = [("%d" % number * length)[:length] for number in range(150) for length in lengths]
        names += ["same first and %d same last" % number for number in range(10)]
        expected = {}
        for number, name in enumerate(names * 2):
            expected.setdefault(name, []).append(str(number))
        text = "&".join("%s=%d" % (name, number) for number, name in enumerate(names * 2))
        for _ in range(3):
            self.assertEqual(expected, evwsgi.parse_query(text.replace(" ", "+")))
            self.assertEqual({names[0]: ["a"]}, evwsgi.parse_query(names[0] + "=a"))

    def test_a_query_within_a_query(self):
        """The garbage collector may run a program's code, which may parse another query."""
        inner, references = [], []

        class Loop(object):
            def __init__(self):
                self.itself = self

        def collected(_):
            inner.append(evwsgi.parse_query("a=in&b=in&c=in"))

        text = "&".join("%s=%d" % (name, number) for number in range(100) for name in "abc")
        thresholds = gc.get_threshold()
        gc.set_threshold(10)
        try:
            for _ in range(50):
                references.append(weakref.ref(Loop(), collected))
                outer = evwsgi.parse_query(text)
                self.assertEqual([str(number) for number in range(100)], outer["b"])
        finally:
            gc.set_threshold(*thresholds)
        self.assertTrue(inner)
        for found in inner:
            self.assertEqual({"a": ["in"], "b": ["in"], "c": ["in"]}, found)

    def test_bytes_above_ascii_are_native_text(self):
        self.assertEqual({"a": ["\xe9"]}, evwsgi.parse_query("a=%E9"))

    def test_what_is_no_string(self):
        for argument in [None, 1, [], object()]:
            self.assertRaises(TypeError, evwsgi.parse_query, argument)
        self.assertRaises(TypeError, evwsgi.parse_query)
        self.assertRaises(TypeError, evwsgi.parse_query, "a", "b")


class Small(Case):
    """Functions of one line."""

    def test_debug(self):
        self.assertEqual(0, evwsgi.get_debug())
        self.assertIsNone(evwsgi.set_debug(3))
        self.assertEqual(3, evwsgi.get_debug())
        for argument in [None, "1", []]:
            self.assertRaises(TypeError, evwsgi.set_debug, argument)
        self.assertRaises(TypeError, evwsgi.set_debug)
        self.assertRaises(OverflowError, evwsgi.set_debug, 1 << 100)
        self.assertEqual(3, evwsgi.get_debug())

    def test_libev_version(self):
        major, minor = evwsgi.libev_version()
        self.assertEqual((4, True), (major, isinstance(minor, int)))
        self.assertIs(tuple, type(evwsgi.libev_version()))

    def test_rfc1123_date(self):
        expected = {
            784111777: "Sun, 06 Nov 1994 08:49:37 GMT",
            784111777.9: "Sun, 06 Nov 1994 08:49:37 GMT",
            0: "Thu, 01 Jan 1970 00:00:00 GMT",
            -1: "Wed, 31 Dec 1969 23:59:59 GMT",
            951782400: "Tue, 29 Feb 2000 00:00:00 GMT",
            4102444799: "Thu, 31 Dec 2099 23:59:59 GMT",
        }
        for seconds, text in expected.items():
            self.assertEqual(text, evwsgi.rfc1123_date(seconds))

    def test_rfc1123_date_is_english_everywhere(self):
        for name in ["de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8"]:
            try:
                locale.setlocale(locale.LC_ALL, name)
            except locale.Error:
                continue
            text = evwsgi.rfc1123_date(784111777)
            self.assertEqual("Sun, 06 Nov 1994 08:49:37 GMT", text)

    def test_rfc1123_date_of_no_time(self):
        for argument in [1 << 62, -(1 << 62), 1 << 200, 1e300, float("inf"), float("nan")]:
            self.assertRaises((ValueError, OverflowError), evwsgi.rfc1123_date, argument)
        for argument in [None, "1", []]:
            self.assertRaises(TypeError, evwsgi.rfc1123_date, argument)
        self.assertRaises(TypeError, evwsgi.rfc1123_date)


class Timers(Case):
    """`add_timer`, `stop_timer`, `restart_timer` outside of `run`; loop.py has them fire."""

    def test_add_timer_counts(self):
        self.assertEqual(1, evwsgi.add_timer(10, application))
        self.assertEqual(2, evwsgi.add_timer(10.5, application))

    def test_wrong_timers(self):
        self.assertRaises(ValueError, evwsgi.add_timer, -1, application)
        self.assertRaises(ValueError, evwsgi.add_timer, -0.001, application)
        self.assertRaises(ValueError, evwsgi.add_timer, float("nan"), application)
        for arguments in [(), (1,), (1, 2), (None, application), ("1", application), (1, None)]:
            self.assertRaises(TypeError, evwsgi.add_timer, *arguments)
        self.assertEqual(1, evwsgi.add_timer(10, application))

    def test_the_legacy_dialect_keeps_ten(self):
        self.serve("legacy")
        for number in range(1, 11):
            self.assertEqual(number, evwsgi.add_timer(10, application))
        answer, text = self.printed_by(evwsgi.add_timer, 10, application)
        self.assertEqual(10, answer)
        self.assertEqual("Limit of maximum 10 timers has been reached\n", text)

    def test_the_standard_dialect_has_no_limit(self):
        self.serve("standard")
        for number in range(1, 31):
            self.assertEqual(number, evwsgi.add_timer(10, application))

    def test_timers_out_of_range(self):
        evwsgi.add_timer(10, application)
        for index in [1, -1, 10**6]:
            self.assertRaises(IndexError, evwsgi.stop_timer, index)
            answer, text = self.printed_by(evwsgi.restart_timer, index)
            self.assertEqual((None, "index out of range\n"), (answer, text))
        self.assertIsNone(evwsgi.stop_timer(0))
        for function in [evwsgi.stop_timer, evwsgi.restart_timer]:
            self.assertRaises(TypeError, function)
            self.assertRaises(TypeError, function, "0")
            self.assertRaises(TypeError, function, None)


class Deferred(Case):
    """`defer` and `defer_queue_size` outside of `run`; loop.py has the calls run."""

    def test_the_queue_before_run(self):
        self.assertIsNone(evwsgi.defer_queue_size())
        self.assertIsNone(evwsgi.defer(len, "a", False))
        self.assertIsNone(evwsgi.defer(len, "b", False))
        self.assertEqual(2, evwsgi.defer_queue_size())

    def test_combine_compares_function_and_argument(self):
        evwsgi.defer(len, [1], True)
        evwsgi.defer(len, [1], True)
        self.assertEqual(1, evwsgi.defer_queue_size())
        evwsgi.defer(len, [2], True)
        evwsgi.defer(max, [1], True)
        self.assertEqual(3, evwsgi.defer_queue_size())
        # Only the object True combines.
        evwsgi.defer(len, [1], 1)
        evwsgi.defer(len, [1], False)
        self.assertEqual(5, evwsgi.defer_queue_size())

    def test_wrong_calls(self):
        for arguments in [(), (len,), (len, "a"), ("len", "a", True), (None, None, None)]:
            self.assertRaises(TypeError, evwsgi.defer, *arguments)
        self.assertIsNone(evwsgi.defer_queue_size())


if __name__ == "__main__":
    main()

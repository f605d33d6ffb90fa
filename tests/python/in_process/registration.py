"""What the functions of the module take: URIs in bytes, a C int, no keywords."""

from case import Case, evwsgi, main
from fapws import base


class Registration(Case):
    def test_a_uri_may_be_bytes(self):
        evwsgi.set_base_module(base)
        evwsgi.wsgi_cb((b"/hello", lambda environ, start_response: [b"hello"]))

    def test_a_level_of_debug_is_a_c_int(self):
        evwsgi.set_debug(2**31 - 1)
        self.assertEqual(2**31 - 1, evwsgi.get_debug())
        for level in (2**31, -(2**31) - 1):
            self.assertRaises(OverflowError, evwsgi.set_debug, level)

    def test_start_takes_no_keywords(self):
        self.assertRaises(TypeError, evwsgi.start, host="127.0.0.1", port="0")


if __name__ == "__main__":
    main()

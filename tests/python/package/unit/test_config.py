"""fapws.config: names and defaults."""

import re
import sys
import time

from fapws import config

DEFAULTS = {
    "max_request_line": None,
    "max_header_size": None,
    "max_header_count": None,
    "max_chunk_extension": 4096,
    "max_body_size": 2**30,
    "body_memory": 65536,
    "max_connections": None,
    "header_timeout": 20,
    "body_timeout": 60,
    "body_min_rate": 500,
    "write_timeout": 60,
    "keep_alive_timeout": 65,
    "graceful_timeout": 30,
    "tcp_defer_accept": True,
}


def test_ident_ends_as_bottles_adapter_needs_it():
    float(config.SERVER_IDENT[-2:])


def test_date_format_is_that_of_the_date_header():
    date = time.strftime(config.date_format, time.gmtime(784111777))
    assert re.match(r"\w+, 06 \w+ 1994 08:49:37 GMT$", date)


def test_a_stranger_sees_no_traceback():
    assert config.send_traceback_to_browser is False
    assert config.send_traceback_short.startswith("<h1>")


def test_the_dialect_is_legacy_where_the_original_ran():
    assert config.dialect == ("legacy" if sys.version_info[0] == 2 else "standard")


def test_limits_and_timeouts_have_their_documented_defaults():
    assert {name: getattr(config, name) for name in DEFAULTS} == DEFAULTS

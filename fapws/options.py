"""The command's options, and the file of settings.

Owns what may be written and the words for what may not. docs/settings.md has the page for people;
a test holds the two together.
"""

import argparse
import difflib
import numbers
import os
import re
import sys
import types

from fapws import _evwsgi, config

#: What it can speak; the core's own words.
DIALECTS = ("standard", "legacy")

#: Where it listens unless told otherwise: this machine alone can reach it there.
DEFAULT_ADDRESS = "127.0.0.1:8000"

_NO_THREADS = (
    "there are no threads to set: one process is one thread, whose loop serves many connections "
    "and calls the application for one request at a time. For more at once use --workers N."
)


class SettingsError(ValueError):
    """A file of settings that cannot be used."""


class _Refused(argparse.Action):
    """An option that other servers have, and this one has not."""

    def __call__(self, parser, namespace, values, option_string=None):
        parser.error(_NO_THREADS)


def parse(arguments, program):
    """The options as an argparse.Namespace; ends the process for --help and errors."""
    parser = _parser(program)
    chosen = parser.parse_args(arguments)
    if chosen.application is None and chosen.access_log not in (None, "-"):
        # `--access-log hello:app`: the log's file may be left out, the application not.
        chosen.application, chosen.access_log = chosen.access_log, "-"
    if chosen.application is None and not chosen.version:
        parser.error("which application? Name it as MODULE:NAME, for instance hello:app")
    return chosen


def _parser(program):
    parser = argparse.ArgumentParser(
        prog=program,
        description="Serves a WSGI application.",
        epilog="Signals to the process started: HUP reloads the application, TERM ends after the "
        "requests in flight, INT within seconds, TTIN and TTOU add and drop a worker, USR1 opens "
        "the access log anew.",
    )
    add = parser.add_argument
    add("application", metavar="MODULE:NAME", nargs="?",
        help="hello:app, or hello:create_app() for a factory")
    add("-b", "--bind", metavar="ADDRESS", action="append",
        help="HOST:PORT, [IPV6]:PORT, unix:PATH or fd://NUMBER; may be repeated (default: "
        "systemd's sockets, else %s)" % DEFAULT_ADDRESS)
    add("-w", "--workers", metavar="N", type=_positive, default=1,
        help="processes that serve (default 1)")
    add("--reload", action="store_true", help="start anew when a source file changes")
    add("--dialect", choices=DIALECTS,
        help="standard: HTTP/1.1 and PEP 3333 (default); legacy: as Fapws3 0.11")
    add("--access-log", metavar="FILE", nargs="?", const="-",
        help="write a line for each request; - or nothing is stdout")
    add("--access-log-format", metavar="FORMAT",
        help="with %%(...)s atoms (default: the combined log format)")
    add("--pid", metavar="FILE", help="keep the process id of the master there")
    add("--threads", action=_Refused, nargs="?", help=argparse.SUPPRESS)
    add("--config", metavar="FILE", help="a Python file that sets names of fapws.config")
    add("--check", action="store_true",
        help="load the application and the settings, open the access log, then end")
    add("--version", action="store_true", help="print the versions, then end")
    return parser


def _positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1 process has to serve")
    return number


_positive.__name__ = "number"  # argparse's word for it: "invalid number value"


def version():
    """The line of --version."""
    return "%s, libev %d.%d, Python %d.%d.%d" % (
        (config.SERVER_IDENT,) + tuple(_evwsgi.libev_version()) + tuple(sys.version_info[:3])
    )


def known_settings():
    """The names that a file of settings may set."""
    return sorted(
        name for name, value in vars(config).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    )


def read_settings(path):
    """What a Python file says, as a dict of `fapws.config`'s names; SettingsError.

    Modules, functions and classes in it, and names that begin with an underscore, are its own; but
    a function by the name of a setting is a mistake.
    """
    names = {"__file__": os.path.abspath(path), "__name__": "fapws_settings"}
    try:
        with open(path, "rb") as source:
            code = compile(source.read(), path, "exec")
        exec(code, names)
    except (IOError, OSError) as error:
        raise SettingsError("%s: %s" % (path, error.strerror))
    except SyntaxError as error:
        raise SettingsError("%s, line %s: %s" % (path, error.lineno, error.msg))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        # sys.exit() included: silence would not tell why there is no server.
        line = _line_in(path)
        raise SettingsError("%s, line %s: %s: %s" % (path, line, type(error).__name__, error))
    settings = {}
    known = known_settings()
    for name, value in names.items():
        if name.startswith("_") or isinstance(value, types.ModuleType):
            continue
        if name in known or not callable(value):
            settings[name] = value
    for name in sorted(set(settings) - set(known)):
        if name == "threads":
            raise SettingsError("%s: %s" % (path, _NO_THREADS))
        if name in vars(_parser("").parse_args([])):
            option = "--" + name.replace("_", "-")
            raise SettingsError("%s: %s is no setting but an option: %s" % (path, name, option))
    check_settings(path, settings)
    return settings


def check_settings(where, settings):
    """Raise SettingsError for a name in a dict that is no setting, or a value that cannot be.

    where: how the place they were written at is called.
    """
    for name, value in sorted(settings.items()):
        _check(where, name, value)


def _line_in(path):
    """The line of a file in which the exception being handled was raised."""
    trace, line = sys.exc_info()[2], "?"
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _check(path, name, value):
    known = known_settings()
    if name not in known:
        close = difflib.get_close_matches(name.lower(), known, 1)
        hint = "did you mean %s?" % close[0] if close else "there are " + ", ".join(known)
        raise SettingsError("%s: there is no setting %s; %s" % (path, name, hint))
    if name == "dialect":
        if value not in DIALECTS:
            raise SettingsError('%s: dialect is "standard" or "legacy", not %r' % (path, value))
        return
    default = getattr(config, name)
    if isinstance(default, str):
        right = isinstance(value, type(u"")) or isinstance(value, str)
        wanted = "a string"
    elif isinstance(default, bool):
        right, wanted = isinstance(value, (bool, int)), "True or False"
    else:
        # None is the dialect's own default.
        is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        right = value is None or (is_number and value >= 0)
        wanted = "a number not below 0"
    if right and name == "SERVER_IDENT" and re.search("[\r\n\0]", value):
        right, wanted = False, "sent as a header, in one line"
    if not right:
        raise SettingsError("%s: %s is %s, not %r" % (path, name, wanted, value))

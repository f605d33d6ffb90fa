"""The settings: one table, from which options, environment, files and docs/settings.md come.

Owns a setting's names, the values it takes, its default and its line of help. An option wins over
the environment, that over the file of `--config`, that over the default. What a setting does is
its reader's business: the core's for those of `fapws.config`, the command's for the others.
"""

import os

from fapws import config
from fapws.setting_kinds import (
    COUNT, FLAG, LINE, NETWORKS, NUMBER, OPTIONAL_PATH, PATH, POSITIVE, SECONDS, SIZE, TEXT,
    Account, Choice, Pairs, ProxyProtocol, Texts, Umask, Unknown, find_group, find_user,
)

#: What the server speaks; the core's own words.
DIALECTS = ("standard", "legacy")

LOG_LEVELS = ("debug", "info", "warning", "error", "critical")

#: Where it listens by default: only this machine reaches it there.
DEFAULT_ADDRESS = "127.0.0.1:8000"


class SettingsError(ValueError):
    """A setting that does not exist, or a value that it cannot have; the text is for people."""


class Setting(object):
    """One row.

    name: in a file of settings, in `fapws.config` and in the environment. options (list): the
    option's spellings, short before long. kind: a Kind. default: in force where nothing is set;
    None for "as the text `shown` says". gunicorn (list): option and name of gunicorn's, where they
    differ. native: whether the core reads it from `fapws.config`. legacy: the default of the legacy
    dialect, where that is another one.
    """

    __slots__ = ("name", "options", "kind", "default", "help", "shown", "gunicorn", "native",
                 "metavar", "unit", "group", "legacy")

    def __init__(self, name, options, kind, default, help, shown=None, gunicorn="", native=False,
                 metavar=None, unit="", legacy=None):
        self.name = name
        self.options = options.split()
        self.kind = kind
        self.default = default
        self.help = help
        self.shown = shown
        self.gunicorn = gunicorn.split()
        self.native = native
        self.metavar = metavar or kind.metavar
        self.unit = unit or kind.unit
        self.group = None
        self.legacy = legacy

    @property
    def option(self):
        """The option's long spelling, or None for what only a file sets."""
        return self.options[-1] if self.options else None

    @property
    def variable(self):
        """The name in the environment, or None."""
        return "FAPWS_" + self.name.upper() if self.options else None

    def parse(self, text, where):
        """The value that an option or a variable says; SettingsError."""
        try:
            return self.kind.parse(text)
        except Unknown as error:
            raise SettingsError("%s: %s" % (where, error))
        except ValueError as error:
            raise SettingsError("%s must be %s, not %r" % (where, _wanted(error, self.kind), text))

    def check(self, value, where):
        """The value that a program gives; SettingsError. None is the default."""
        if value is None:
            return None
        try:
            return self.kind.check(value)
        except Unknown as error:
            raise SettingsError("%s: %s: %s" % (where, self.name, error))
        except ValueError as error:
            reason = _wanted(error, self.kind)
            raise SettingsError("%s: %s must be %s, not %r" % (where, self.name, reason, value))


def _wanted(error, kind):
    return str(error) or kind.wanted


# --- the table ------------------------------------------------------------------------------------

_LOCAL = "127.0.0.1,::1"

GROUPS = (
    ("What is served, and where", (
        Setting("application", "", TEXT, None, "MODULE:NAME, if the command line names none",
                gunicorn="wsgi_app", shown="none"),
        Setting("bind", "-b --bind", Texts("ADDRESS", repeats=True), None,
                "HOST:PORT, [IPV6]:PORT, :PORT, unix:PATH or fd://NUMBER; may be repeated",
                shown="systemd's sockets, else %s" % DEFAULT_ADDRESS),
        Setting("backlog", "--backlog", POSITIVE, None,
                "connections that may wait to be accepted", shown="the system's somaxconn",
                native=True),
        Setting("umask", "--umask", Umask(), None, "octal mask of permission bits for new files",
                shown="as started", gunicorn="-m"),
        Setting("user", "-u --user", Account("USER", find_user), None,
                "user that the workers run as, by name or number", shown="as started"),
        Setting("group", "-g --group", Account("GROUP", find_group), None,
                "group that the workers run as", shown="the user's, else as started"),
        Setting("chdir", "--chdir", PATH, None,
                "change to this folder before loading the application", metavar="FOLDER",
                shown="as started"),
        Setting("pythonpath", "--pythonpath", Texts("FOLDERS"), None,
                "comma-separated folders to import from first", shown="none"),
        Setting("root_path", "--root-path", TEXT, "",
                "the prefix of the application's URLs: SCRIPT_NAME", metavar="PATH",
                shown="none", native=True),
        Setting("dialect", "--dialect", Choice(DIALECTS), "standard",
                "standard: HTTP/1.1 and PEP 3333; legacy: as Fapws3 0.11", native=True),
        Setting("raw_env", "", Pairs("NAME=VALUE", repeats=True), None,
                "environment variables to set", gunicorn="-e --env", shown="none"),
    )),
    ("Processes and threads", (
        Setting("workers", "-w --workers", POSITIVE, 1, "number of worker processes"),
        Setting("threads", "--threads", POSITIVE, 1,
                "calls of the application that may wait at the same time in each worker",
                native=True),
        Setting("preload", "--preload", FLAG, False,
                "load the application once, before the workers are forked",
                gunicorn="preload_app"),
        Setting("timeout", "-t --timeout", SECONDS, 30,
                "replace a worker in which a call takes longer (with threads: every "
                "thread's); 0: never",
                shown="30; 0 with --reload"),
        Setting("graceful_timeout", "--graceful-timeout", SECONDS, 30,
                "time to finish requests in flight when a worker ends", native=True),
        Setting("shutdown_delay", "--shutdown-delay", SECONDS, 0,
                "keep serving for this long after SIGTERM", native=True),
        Setting("max_requests", "--max-requests", COUNT, 0,
                "replace a worker after this many requests; 0: never"),
        Setting("max_requests_jitter", "--max-requests-jitter", COUNT, 0,
                "add a random number of requests, up to this many"),
        Setting("max_memory", "--max-memory", SIZE, 0,
                "replace a worker that has more resident memory; 0: never"),
        Setting("reload", "--reload", FLAG, False,
                "for development: reload when a source file changes"),
        Setting("reload_extra_file", "--reload-extra-file", Texts("FILE", repeats=True), None,
                "another file to watch; may be repeated",
                gunicorn="reload_extra_files", shown="none"),
        Setting("name", "-n --name", TEXT, None,
                "title of the processes, if the setproctitle package is installed",
                metavar="NAME", gunicorn="proc_name", shown="the application"),
        Setting("pid", "-p --pid", PATH, None, "file for the master's process id",
                gunicorn="pidfile", shown="none"),
    )),
    ("Connections and limits", (
        Setting("max_connections", "--max-connections", NUMBER, None,
                "open connections in each worker",
                gunicorn="--worker-connections worker_connections", native=True,
                shown="the descriptor limit less 24"),
        Setting("keep_alive_timeout", "--keep-alive-timeout", SECONDS, 65,
                "time to wait for a connection's next request", gunicorn="--keep-alive keepalive",
                native=True),
        Setting("header_timeout", "--header-timeout", SECONDS, 20,
                "time to receive the head of a request (408)", native=True),
        Setting("body_timeout", "--body-timeout", SECONDS, 60,
                "longest pause in the body of a request (408)", native=True),
        Setting("body_min_rate", "--body-min-rate", NUMBER, 500,
                "lowest rate of a body after its first 20 seconds (408)", unit="bytes a second",
                native=True),
        Setting("write_timeout", "--write-timeout", SECONDS, 60,
                "longest pause in which the client takes no byte of the response", native=True),
        Setting("max_request_line", "--max-request-line", SIZE, 8190,
                "longest request line (414)",
                gunicorn="--limit-request-line limit_request_line", native=True,
                legacy=1 << 20),
        Setting("max_header_count", "--max-header-count", NUMBER, 128,
                "largest number of header lines (431)",
                gunicorn="--limit-request-fields limit_request_fields", native=True,
                legacy=1000),
        Setting("max_header_size", "--max-header-size", SIZE, 65536,
                "longest head, including the request line (431)", native=True, legacy=1 << 20),
        Setting("max_chunk_extension", "--max-chunk-extension", SIZE, 4096,
                "longest chunk extension (400)", native=True),
        Setting("max_body_size", "--max-body-size", SIZE, 1 << 30,
                "longest body of a request (413); 0: no limit", native=True),
        Setting("body_memory", "--body-memory", SIZE, 65536,
                "keep a longer body in a temporary file", native=True),
        Setting("tcp_defer_accept", "--tcp-defer-accept", FLAG, True,
                "Linux: accept connections before their first bytes arrive", native=True),
    )),
    ("Proxies", (
        Setting("forwarded_allow_ips", "--forwarded-allow-ips", NETWORKS, _LOCAL,
                "proxies whose X-Forwarded-Proto is believed: addresses, networks, *",
                shown="%s and unix sockets" % _LOCAL, native=True),
        Setting("proxy_headers", "--proxy-headers", FLAG, False,
                "also believe their X-Forwarded-For, -Host, -Port and -Prefix, or Forwarded",
                native=True),
        Setting("proxy_protocol", "--proxy-protocol",
                ProxyProtocol(("off", "v1", "v2", "auto")), "off",
                "expect the PROXY protocol before each connection; without a value: auto",
                native=True),
        Setting("proxy_allow_from", "--proxy-allow-from", NETWORKS, _LOCAL,
                "proxies that use it", gunicorn="proxy_allow_ips",
                shown="%s and unix sockets" % _LOCAL, native=True),
    )),
    ("Logs and health", (
        Setting("access_log", "--access-log", OPTIONAL_PATH, None,
                "log each request to this file; - or no value: stdout",
                gunicorn="--access-logfile accesslog", shown="none", native=True),
        Setting("access_log_format", "--access-log-format", TEXT, None,
                "format of a line, with %(...)s atoms", metavar="FORMAT",
                gunicorn="--access-logformat", shown="the combined log format", native=True),
        Setting("access_log_json", "--access-log-json", FLAG, False,
                "log each request as a JSON object", native=True),
        Setting("access_log_skip", "--access-log-skip", Texts("PATH", repeats=True), None,
                "a path that is not logged; may be repeated", shown="the path of health",
                native=True),
        Setting("log_level", "--log-level", Choice(LOG_LEVELS), "info",
                "lowest level of the server's own lines", gunicorn="loglevel"),
        Setting("slow_request", "--slow-request", SECONDS, 0,
                "log a call that takes longer, with its stack; 0: never", native=True),
        Setting("health", "--health", TEXT, None,
                "let the server itself respond to this path: 200, or 503 while it shuts down",
                metavar="PATH", shown="none", native=True),
    )),
    ("Only in a file", (
        Setting("SERVER_IDENT", "", LINE, config.SERVER_IDENT, "the Server header", native=True),
        Setting("date_format", "", TEXT, config.date_format,
                "for programs; the server itself uses the format of RFC 9110", native=True),
        Setting("send_traceback_to_browser", "", FLAG, False,
                "show the traceback on the error page", native=True),
        Setting("send_traceback_short", "", TEXT, config.send_traceback_short,
                "the error page without a traceback, in the legacy dialect", native=True),
        Setting("multiprocess", "", FLAG, None, "wsgi.multiprocess",
                shown="whether there are several workers", native=True),
    )),
)

#: The functions of a file that are called, by gunicorn's names; fapws/hooks.py has their arguments.
HOOKS = (
    "on_starting", "when_ready", "on_reload", "on_exit", "nworkers_changed",
    "pre_fork", "post_fork", "post_worker_init", "worker_exit", "child_exit",
)

TABLE = {}
#: Setting by each spelling of its option, gunicorn's included.
BY_OPTION = {}
#: Setting by the name of gunicorn's that differs.
BY_GUNICORN = {}

for _group, _rows in GROUPS:
    for _row in _rows:
        _row.group = _group
        TABLE[_row.name] = _row
        for _word in _row.options + _row.gunicorn:
            (BY_OPTION if _word[0] == "-" else BY_GUNICORN)[_word] = _row


_BY_IGNORED_VARIABLE = {
    "FAPWS_" + _name.upper(): _row for _name, _row in TABLE.items() if not _row.variable}


def find(name):
    """The Setting of a name of ours or gunicorn's, or None."""
    return TABLE.get(name) or BY_GUNICORN.get(name)


def checked(name, value, where):
    """(Setting's name, value) for what a program or a file says; SettingsError."""
    setting = find(name)
    if setting is None:
        raise SettingsError("%s: %s" % (where, unknown(name)))
    if name in ("limit_request_line", "limit_request_fields") and value == 0:
        value = float("inf")  # gunicorn's word for no limit
    if name == "SERVER_IDENT" and value is None:
        value = ""  # no header, as in fapws.config
    return setting.name, setting.check(value, where)


def unknown(name):
    """The message about a name that is not a setting."""
    import difflib

    known = sorted(TABLE)
    close = difflib.get_close_matches(name.lower(), known, 1)
    hint = "did you mean %s?" % close[0] if close else "there are " + ", ".join(known)
    return "there is no setting %s; %s" % (name, hint)


def from_environ(environ):
    """What the environment sets, as a dict of names to values; SettingsError."""
    found = {}
    for setting in TABLE.values():
        text = environ.get(setting.variable) if setting.variable else None
        if text and setting.kind.repeats:
            found[setting.name] = setting.check(text, setting.variable)
        elif text:
            found[setting.name] = setting.parse(text, setting.variable)
    return found


def misspelt_variables(environ):
    """(variable, the one that was probably meant) for each that no setting has."""
    known = [setting.variable for setting in TABLE.values() if setting.variable]
    ignored = known + list(_BY_IGNORED_VARIABLE)
    found = [name for name in environ if name.startswith("FAPWS_") and name not in ignored]
    if not found:
        return []
    import difflib

    pairs = [(name, difflib.get_close_matches(name, known, 1, 0.9)) for name in sorted(found)]
    return [(name, close[0]) for name, close in pairs if close]


def ignored_variables(environ):
    """(variable, setting, how it is set) for each setting's that no variable sets."""
    found = []
    for name in sorted(environ):
        if name in _BY_IGNORED_VARIABLE:
            setting = _BY_IGNORED_VARIABLE[name]
            ways = [word for word in setting.gunicorn if word.startswith("--")]
            if setting.name == "application":
                ways = ["the command line"]
            found.append((name, setting.name, " or ".join(ways + ["the file of --config"])))
    return found


def defaults_from_environ(environ):
    """What platforms set for any server: PORT, WEB_CONCURRENCY, and gunicorn's SCRIPT_NAME."""
    found = {}
    if environ.get("PORT"):
        found["bind"] = ["0.0.0.0:" + environ["PORT"]]
    if environ.get("WEB_CONCURRENCY"):
        found["workers"] = TABLE["workers"].parse(environ["WEB_CONCURRENCY"], "WEB_CONCURRENCY")
    if environ.get("SCRIPT_NAME"):
        found["root_path"] = environ["SCRIPT_NAME"]
    return found


class Settings(object):
    """What is in force: an attribute for each Setting. `given` holds what is not the default."""

    def __init__(self, *layers):
        """layers: dicts of names to values, of which the first one wins; None is no value."""
        self.given = {}
        for layer in reversed(layers):
            given = [(name, value) for name, value in layer.items() if value is not None]
            self.given.update(given)

    def __getattr__(self, name):
        if name not in TABLE:
            raise AttributeError(name)
        return self.given.get(name, TABLE[name].default)

    def for_config(self):
        """What the core reads, as a dict of attributes for `fapws.config`."""
        found = {"dialect": "standard"}
        for name, value in self.given.items():
            if TABLE[name].native:
                found[name] = value
        if self.health:
            # A check every few seconds would fill the log. Another value brings its lines back.
            found.setdefault("access_log_skip", [self.health])
        return found

    def check(self):
        """Raise SettingsError for settings that cannot be together, or not here."""
        if self.threads > 1 and self.dialect == "legacy":
            raise SettingsError("threads: more than one needs the standard dialect")
        if self.threads > 1 and str is bytes:
            raise SettingsError("threads: more than one needs Python 3")
        for name, own in (("user", os.geteuid()), ("group", os.getegid())):
            if getattr(self, name) not in (None, own) and os.geteuid() != 0:
                raise SettingsError("%s: only root can serve as another user or group" % name)

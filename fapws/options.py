"""The command line: its options, --help, and the messages for what it does not accept.

Owns the notation of options; fapws/settings.py has the table of them. Not argparse: it takes as
long to import as the rest of the command, and its messages name the wrong word where an option is
unknown.
"""

import sys

from fapws import settings
from fapws.setting_kinds import SIZE
from fapws.settings import SettingsError

#: Options that are not settings: spellings, name, metavar, help.
_OWN = (
    ("-c --config", "config", "FILE", "a Python file of settings, or a gunicorn.conf.py"),
    ("--check --check-config", "check", None,
     "load the settings and the application, open the access log, then exit"),
    ("-v --version", "version", None, "print the versions, then exit"),
    ("-h --help", "help", None, "print this help, then exit"),
)

_SIGNALS = (
    "Signals to the process you start: HUP reloads the application, TERM stops after the requests "
    "in flight, INT within 3 seconds, QUIT at once, TTIN and TTOU add and remove a worker, USR1 "
    "reopens the access log, USR2 starts a new master, WINCH drains the workers."
)

#: Endings of names that are files, not modules.
_FILES = (".log", ".txt", ".json", ".out", ".err")


class Call(object):
    """A parsed command line.

    application (str or None); values (dict): settings by name; config (str or None): the file;
    check, version, help (bool); notes (list): what is reported, and changes nothing.
    """

    def __init__(self):
        self.application = None
        self.values = {}
        self.config = None
        self.check = self.version = self.help = False
        self.notes = []


def parse(arguments):
    """Parse a list of words into a Call; raises SettingsError."""
    call = Call()
    words = list(arguments)
    only_names = False
    while words:
        word = words.pop(0)
        if only_names or word == "-" or not word.startswith("-"):
            _name(call, word)
        elif word == "--":
            only_names = True
        else:
            _option(call, word, words)
    log = call.values.get("access_log")
    if call.application is None and log and _may_be_application(log):
        # `--access-log hello:app`: the log's file may be left out, the application not.
        call.application, call.values["access_log"] = log, "-"
    return call


def _name(call, word):
    if call.application is not None:
        raise SettingsError(
            "there are two applications, %s and %s; only one is served" % (
                call.application, word))
    call.application = word


def _may_be_application(word):
    return "/" not in word and (":" in word or not word.endswith(_FILES)) and word != "-"


def _option(call, word, words):
    """Take an option, and its value off the words behind it."""
    option, equals, value = word.partition("=")
    if not word.startswith("--") and len(word) > 2:
        # As in -w4 and -w=4.
        option, value = word[:2], word[2:].lstrip("=")
        equals = "="
    value = value if equals else None
    setting, negated = _find(option)
    if setting is not None:
        _set(call, setting, negated, option, value, words)
    elif not _set_own(call, option, value, words):
        _foreign(call, option, value, words)


def _find(option):
    """(Setting, whether it is switched off) of an option, (None, False) where there is none."""
    if option in settings.BY_OPTION:
        return settings.BY_OPTION[option], False
    positive = "--" + option[5:]
    if option.startswith("--no-") and positive in settings.BY_OPTION:
        setting = settings.BY_OPTION[positive]
        if setting.kind.is_flag:
            return setting, True
    return None, False


def _set(call, setting, negated, option, value, words):
    kind = setting.kind
    if kind.is_flag:
        if value is not None:
            raise SettingsError("%s takes no value" % option)
        call.values[setting.name] = not negated
        return
    if value is None and kind.bare is not None:
        value = _optional(kind, words)
    elif value is None:
        value = _value(option, words)
    value = setting.parse(value, option)
    if kind.repeats:
        call.values.setdefault(setting.name, []).extend(value)
    else:
        call.values[setting.name] = value


def _optional(kind, words):
    """The value of an option that may stand alone."""
    choices = getattr(kind, "words", None)
    if words and (words[0] in choices if choices else words[0][:1] != "-" or words[0] == "-"):
        return words.pop(0)
    return kind.bare


def _value(option, words):
    if not words or words[0].startswith("--"):
        raise SettingsError("%s needs a value" % option)
    return words.pop(0)


def _set_own(call, option, value, words):
    """Take an option that is not a setting; whether it was one."""
    for spellings, name, metavar, _ in _OWN:
        if option in spellings.split():
            if metavar is None:
                if value is not None:
                    raise SettingsError("%s takes no value" % option)
                setattr(call, name, True)
            else:
                setattr(call, name, _value(option, words) if value is None else value)
            return True
    return False


def _foreign(call, option, value, words):
    """An option that this server does not have."""
    from fapws import gunicorn_settings

    found = gunicorn_settings.find_option(option)
    if found is None:
        raise SettingsError(_unknown(option))
    name, takes_value = found
    if takes_value and value is None:
        value = _value(option, words)
    follows, advice = gunicorn_settings.judge(name, value if takes_value else True)
    if option == "--no-sendfile":
        follows, advice = gunicorn_settings.HARMLESS, "files go by sendfile where the kernel can"
    if follows == gunicorn_settings.HARMLESS:
        call.notes.append("%s is ignored: %s" % (option, advice))
    elif follows is not None:
        shown = "%s %s" % (option, value) if name == "worker_class" else option
        raise SettingsError("there is no %s: %s" % (shown, advice))


def _unknown(option):
    import difflib

    known = [word for word in settings.BY_OPTION if word.startswith("--")]
    known += [row[0].split()[-1] for row in _OWN]
    close = difflib.get_close_matches(option, known, 1)
    hint = "; did you mean %s?" % close[0] if close else "; --help lists the options"
    return "there is no option %s%s" % (option, hint)


# --- --help ---------------------------------------------------------------------------------------


def help_text(program):
    """What --help prints."""
    lines = ["usage: %s [options] MODULE:NAME" % program, ""]
    lines += ["Serves a WSGI application: hello:app, or hello:create_app() for a factory.", ""]
    for group, rows in settings.GROUPS:
        rows = [row for row in rows if row.options]
        if rows:
            lines.append(group + ":")
            for row in rows:
                lines += _entry(_spellings(row), _metavar(row), _explained(row))
            lines.append("")
    lines.append("The command:")
    for spellings, _, metavar, text in _OWN:
        words = [word for word in spellings.split() if word != "--check-config"]
        lines += _entry(", ".join(words), metavar, text)
    lines += [""] + _wrapped(_SIGNALS, 80)
    lines += _wrapped(
        "Each option is also an environment variable (--workers is FAPWS_WORKERS) and a name in "
        "the file of --config (workers). Most of gunicorn's options and names work too.", 80)
    return "\n".join(lines)


def _spellings(row):
    if row.kind.is_flag and row.default:
        return "--no-" + row.option[2:]
    return ", ".join(row.options)


def _metavar(row):
    if row.kind.is_flag:
        return None
    return "[%s]" % row.metavar if row.kind.bare is not None else row.metavar


def _explained(row):
    if row.kind.is_flag or row.shown == "none":
        return row.help
    return "%s (default: %s)" % (row.help, row.shown or _default(row))


def _default(row):
    """The default of a setting and its unit; a size as 64K or 1G where it is one."""
    if row.kind is SIZE:
        for letter, exponent in (("G", 30), ("M", 20), ("K", 10)):
            if row.default and row.default % (1 << exponent) == 0:
                return "%d%s" % (row.default >> exponent, letter)
    return "%s %s" % (row.default, row.unit) if row.unit else str(row.default)


def _entry(spellings, metavar, text):
    head = "  %s%s" % (spellings, " " + metavar if metavar else "")
    lines = _wrapped(text, 50)
    first = "%-29s %s" % (head, lines.pop(0)) if len(head) < 30 else head
    return [first] + [" " * 30 + line for line in lines]


def _wrapped(text, width):
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return lines


def version():
    """The line of --version."""
    from fapws import _evwsgi, config

    return "%s, libev %d.%d, Python %d.%d.%d" % (
        (config.SERVER_IDENT,) + tuple(_evwsgi.libev_version()) + tuple(sys.version_info[:3])
    )

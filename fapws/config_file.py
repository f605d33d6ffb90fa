"""The file of `--config`: Python that sets names, gunicorn's `gunicorn.conf.py` among them.

Owns how it is run and what its names mean: settings, hooks, gunicorn's that do not exist here, and
names of its own. Nothing it imports from the application's folder stays in the process, which is
the master: a reload finds all of it new.
"""

import os
import re
import sys
import types

from fapws import settings
from fapws.settings import SettingsError

#: Endings of other kinds of files.
_OTHERS = {".toml": "TOML", ".yaml": "YAML", ".yml": "YAML", ".json": "JSON", ".ini": "INI"}

#: What compile() is to return the tree for, without the module `ast`.
_ONLY_AST = 0x400


class ConfigFile(object):
    """What a file says.

    values (dict): settings by name. hooks (dict): functions by name. notes (list): what in it is
    ignored, in words.
    """

    def __init__(self):
        self.values = {}
        self.hooks = {}
        self.notes = []


def read(path, folder):
    """The ConfigFile at `path`, which stands in `folder` unless it is absolute; SettingsError.

    Its imports look in `folder` first. As gunicorn has it, `python:MODULE` names a module, and
    `file:` may stand before a path.
    """
    if path.startswith("file:"):
        path = path[5:]
    before = set(sys.modules)
    sys.path.insert(0, folder)
    try:
        if path.startswith("python:"):
            names = _module(path[7:])
        else:
            names = _run(path, os.path.join(folder, path))
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
        _forget(set(sys.modules) - before, folder)
    return _understood(path, names)


def _run(path, file):
    """The names that the file defines; `path` is what people call it."""
    kind = _OTHERS.get(os.path.splitext(path)[1].lower())
    if kind:
        raise SettingsError("%s: this file is Python, not %s: workers = 4" % (path, kind))
    names = {"__file__": file, "__name__": "fapws_settings"}
    try:
        with open(file, "rb") as opened:
            source = opened.read()
        _check_notation(path, source)
        exec(compile(source, path, "exec"), names)
    except (IOError, OSError) as error:
        if sys.exc_info()[2].tb_next is None and error.filename == file:
            raise SettingsError("%s: %s" % (path, error.strerror))
        raise _failed(path, error)
    except SyntaxError as error:
        if error.filename == path:
            raise SettingsError("%s, line %s: %s" % (path, error.lineno, error.msg))
        raise _failed(path, error)
    except (KeyboardInterrupt, SettingsError):
        raise
    except BaseException as error:
        # sys.exit() included: silence would not say why there is no server.
        raise _failed(path, error)
    return names


def _check_notation(path, source):
    """Raise SettingsError for what Python accepts and ignores, and for other notations."""
    section = re.search(br"^\[[\w.-]+\]\s*$", source, re.M)
    if section:
        line = source.count(b"\n", 0, section.start()) + 1
        raise SettingsError(
            "%s, line %d: this file is Python, not TOML or INI: workers = 4" % (path, line))
    for statement in compile(source, path, "exec", _ONLY_AST).body:
        # `workers: 4` is an annotation: no value is set.
        if type(statement).__name__ == "AnnAssign" and statement.value is None:
            name = getattr(statement.target, "id", None)
            if name and settings.find(name):
                raise SettingsError("%s, line %d: %s is not set by a colon: %s = ..." % (
                    path, statement.lineno, name, name))


def _failed(path, error):
    """The SettingsError for an exception that the file raised."""
    trace, line = sys.exc_info()[2], "?"
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    text = "%s, line %s: %s: %s" % (path, line, type(error).__name__, error)
    if isinstance(error, NameError) and re.search("'(true|false|none|null)'", str(error)):
        text += "; Python writes True, False and None"
    return SettingsError(text)


def _module(name):
    """The names of the module that `python:NAME` means."""
    import importlib

    try:
        return dict(vars(importlib.import_module(name)))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise SettingsError("python:%s: %s: %s" % (name, type(error).__name__, error))


def _forget(names, folder):
    """Drop modules that were imported from under `folder`."""
    here = os.path.join(os.path.realpath(folder), "")
    for name in names:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and os.path.realpath(file).startswith(here):
            if os.sep + "site-packages" + os.sep not in file:
                del sys.modules[name]


def _understood(path, names):
    """What the names of a file mean."""
    found = ConfigFile()
    own = []
    # Names of gunicorn's first: ours win where both are set.
    for name in sorted(names, key=lambda name: (name in settings.TABLE, name)):
        value = names[name]
        if name.startswith("_") or isinstance(value, types.ModuleType):
            continue
        if name in settings.HOOKS:
            _hook(found, path, name, value)
        elif settings.find(name) and not (name == "application" and callable(value)):
            name, value = settings.checked(name, value, path)
            if value is not None:
                found.values[name] = value
        elif not _foreign(found, path, name, value) and not callable(value):
            _check_spelling(path, name, names)
            own.append(name)
    if own:
        found.notes.append("%s: not settings, ignored: %s (names of your own begin with _)" % (
            path, ", ".join(own)))
    return found


def _hook(found, path, name, value):
    if callable(value):
        found.hooks[name] = value
    elif value is not None:
        raise SettingsError("%s: %s must be a function, not %r" % (path, name, value))


def _foreign(found, path, name, value):
    """Take note of a name that only gunicorn has; whether it is one."""
    from fapws import gunicorn_settings

    if name not in gunicorn_settings.FOREIGN:
        return False
    follows, advice = gunicorn_settings.judge(name, value)
    if follows == gunicorn_settings.REJECTED:
        raise SettingsError("%s: there is no %s: %s" % (path, name, advice))
    if follows == gunicorn_settings.IGNORED:
        found.notes.append("%s: %s is ignored: %s" % (path, name, advice))
    return True


def _check_spelling(path, name, names):
    """Raise SettingsError for a name that was meant for a setting's."""
    import difflib

    known = list(settings.TABLE) + list(settings.BY_GUNICORN) + list(settings.HOOKS)
    close = difflib.get_close_matches(name.lower(), known, 1, 0.85)
    if close and close[0] not in names:
        raise SettingsError(
            "%s: there is no setting %s; did you mean %s?" % (path, name, close[0]))

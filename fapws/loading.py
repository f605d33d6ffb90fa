"""Loads the application that `module:application` names.

Owns the notation, and the message when it fails: what was looked for, what is there, and what was
probably meant. Does not serve. Invariant: an error inside the application's own modules
is never mistaken for a module that is missing; it keeps its traceback.
"""

import importlib
import os
import re
import sys
import types

#: What is served when only a module is named: mod_wsgi's, Django's and gunicorn's name for it.
DEFAULT_NAME = "application"

# A file's name may have a dash, which Python can import, though no statement can say so.
_MODULE = re.compile(r"[^\W\d][\w-]*(\.[^\W\d][\w-]*)*$")
_ATTRIBUTE = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*)(\(.*\))?$", re.S)


class LoadError(Exception):
    """Why there is no application, in words for the person who typed its name.

    files: the source files that had a part in it, or that were looked for; a change to one, or its
    creation, may repair it.
    """

    def __init__(self, text, files=()):
        Exception.__init__(self, text)
        self.files = files


def load(words):
    """The application that `words` name, a callable.

    `package.module:name` is an attribute, which may be dotted; `package.module:create()` the result
    of a call without arguments; `package.module` alone means `package.module:application`.
    Raises LoadError. The current folder is looked in first.
    """
    add_to_path()
    module_name, colon, name = words.partition(":")
    _check_module_name(module_name, name)
    module = _import(module_name)
    name = name if colon else DEFAULT_NAME
    matched = _ATTRIBUTE.match(name)
    if not matched:
        raise LoadError(
            "invalid attribute name %r: write the name of an application after the colon, as in "
            "%s:app, or of a factory, as in %s:create_app()" % (
                name, module_name, module_name)
        )
    attribute, call = matched.groups()
    found = _attribute(module, attribute)
    if call:
        return _made(words, found, call)
    return _checked(words, found)


def add_to_path(folders=()):
    """Look for modules in the current folder first, and before that in `folders`."""
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    sys.path[:0] = [folder for folder in folders or () if folder not in sys.path]


def _check_module_name(name, attribute):
    """Raise LoadError for a folder, a file, or what cannot be a module's name."""
    wanted = ":" + (attribute or "NAME")
    if _MODULE.match(name) and not (os.path.isfile(name) and name.endswith(".py")):
        return
    if not name:
        raise LoadError("there is no module name: write MODULE:NAME, as in hello:app")
    if os.path.isdir(name):
        raise LoadError("%s is a folder, not a module%s" % (name, _modules_in(name)))
    if os.path.isfile(name):
        raise LoadError(
            "%s is a file; name the module: %s" % (name, _as_module(name, wanted))
        )
    raise LoadError(
        "invalid module name %r: write MODULE:NAME, as in hello:app, or package.module:app" % name
    )


def _as_module(path, wanted):
    """How a file is named as a module, with the folder to start in if it is not this one."""
    folder, base = os.path.split(path)
    module = os.path.splitext(base)[0]
    inside = os.path.relpath(folder or ".")
    if inside == ".":
        return module + wanted
    if not inside.startswith(os.pardir):
        packages = inside.split(os.sep)
        if all(os.path.isfile(os.path.join(*packages[: n + 1] + ["__init__.py"]))
               for n in range(len(packages))):
            return ".".join(packages + [module]) + wanted
    return "%s%s, started in the folder %s" % (module, wanted, folder)


def _modules_in(folder):
    """A sentence on the modules of a folder."""
    names = sorted(name[:-3] for name in os.listdir(folder) if name.endswith(".py"))
    package = "__init__" in names
    names = [name for name in names if name != "__init__"]
    prefix = os.path.normpath(folder).replace(os.sep, ".") + "." if package else ""
    if not names:
        return "; there is no module in it"
    named = ", ".join(prefix + name for name in names[:8])
    if package:
        return "; the package has " + named
    if os.path.samefile(folder, os.curdir):
        return "; name one of its modules: " + named
    return "; start in it (cd %s) and name one of its modules: %s" % (folder, named)


def _import(name):
    """Import a module; LoadError when it, or a package on the way to it, does not exist."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = _candidates(_missing(error))
        if not _is_import_machinery_only(sys.exc_info()[2]):
            raise LoadError("importing %s failed:\n%s" % (name, _traceback()), _files() + missing)
        raise LoadError(_no_module(name, error), missing)
    except Exception:
        raise LoadError("importing %s failed:\n%s" % (name, _traceback()), _files())
    except SystemExit as error:
        raise LoadError(
            "importing %s ended in sys.exit(%r)\n%s" % (name, error.code, _traceback()), _files())


def _missing(error):
    """The module that an ImportError says is not there, or ""."""
    name = getattr(error, "name", None)
    if name is None:
        # Python 2 has only words: "No module named b", of a package's a.b.
        found = re.match(r"No module named '?([\w.-]+)", str(error))
        name = found.group(1) if found else ""
    return name


def _candidates(name):
    """The files that would be the module `name`: one of them may be written yet."""
    if not name:
        return []
    parent, _, last = name.rpartition(".")
    folders = list(getattr(sys.modules.get(parent), "__path__", None) or sys.path)
    if parent not in sys.modules:
        last = name.replace(".", os.sep)
    found = []
    for folder in folders:
        base = os.path.join(folder or os.getcwd(), last)
        found += [base + ".py", os.path.join(base, "__init__.py")]
    return found


def _is_import_machinery_only(trace):
    """Whether no code but this file's and the import system's was running when it failed."""
    import traceback

    return all(_is_machinery(frame[0]) for frame in traceback.extract_tb(trace))


def _traceback():
    """The traceback of the exception being handled, from the application's first frame on."""
    import traceback

    kind, error, trace = sys.exc_info()
    while trace.tb_next is not None and _is_machinery(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return "".join(traceback.format_exception(kind, error, trace)).rstrip()


def _files():
    """The source files of the exception being handled."""
    import traceback

    _, error, trace = sys.exc_info()
    files = [frame[0] for frame in traceback.extract_tb(trace)]
    if isinstance(error, SyntaxError) and error.filename:
        files.append(error.filename)
    return [name for name in files if os.path.isfile(name)]


def _is_machinery(name):
    """Whether a file is this one, or of the import system."""
    mine = (os.path.splitext(__file__)[0], os.path.dirname(importlib.__file__))
    return name.startswith("<frozen importlib") or name.startswith(mine)


def _no_module(name, error):
    looked = [entry or os.getcwd() for entry in sys.path]
    parent, _, last = name.rpartition(".")
    siblings = []
    if parent in sys.modules:
        looked = list(getattr(sys.modules[parent], "__path__", []))
        if not looked:
            return "there is no module %s: %s is a module, not a package; %s" % (
                name, parent, "write %s:%s if %s is in it" % (parent, last, last))
    for folder in looked:
        if os.path.isdir(folder) and (parent or folder == os.getcwd()):
            for entry in _entries(folder):
                base, extension = os.path.splitext(entry)
                is_package = os.path.isfile(os.path.join(folder, entry, "__init__.py"))
                if extension == ".py" or is_package:
                    siblings.append(base)
    text = "there is no module %s (%s); looked in %s" % (name, error, looked[0] if looked else "-")
    if len(looked) > 1:
        text += " and the rest of Python's path"
    return text + _meant(last, siblings, parent + "." if parent else "")


def _entries(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []  # another user's


def _attribute(module, dotted):
    """An attribute of a module; LoadError names what the module has instead."""
    found, where = module, module.__name__
    for name in dotted.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            there = [each for each in dir(found) if not each.startswith("_")]
            callables = [each for each in there if _may_be_application(found, each)]
            text = "%s has no %s" % (where, name)
            import difflib

            close = difflib.get_close_matches(name, there, 3)
            if close:
                text += "; did you mean %s?" % " or ".join(close)
            elif callables:
                text += "; what can be called there: %s" % ", ".join(callables[:12])
            else:
                text += "; there is nothing in it that can be called"
            file = getattr(module, "__file__", None)
            files = [file] if file and file.endswith(".py") else []
            raise LoadError(text + (" (%s)" % file if file else ""), files)
        where += "." + name
    return found


def _may_be_application(owner, name):
    value = getattr(owner, name, None)
    return callable(value) and getattr(value, "__module__", None) not in ("typing", "builtins")


def _made(words, factory, call):
    """What a factory makes."""
    if not callable(factory):
        raise LoadError("%s: %s cannot be called" % (words, _kind(factory)))
    arguments, keywords = _arguments(words, call)
    try:
        return _checked(words, factory(*arguments, **keywords))
    except LoadError:
        raise
    except Exception:
        raise LoadError("calling %s failed:\n%s" % (words, _traceback()), _files())
    except SystemExit as error:
        raise LoadError(
            "calling %s ended in sys.exit(%r)\n%s" % (words, error.code, _traceback()), _files())


def _arguments(words, call):
    """The arguments written in a call, all of them literals: nothing typed here is evaluated."""
    import ast

    try:
        tree = ast.parse("f" + call, mode="eval").body
        if not isinstance(tree.func, ast.Name):
            raise ValueError("a call of a call")
        arguments = [ast.literal_eval(each) for each in tree.args]
        keywords = {each.arg: ast.literal_eval(each.value) for each in tree.keywords}
    except (SyntaxError, ValueError, AttributeError):
        raise LoadError(
            "%s: only literals can be arguments, as in create_app('production')" % words
        )
    return arguments, keywords


def _checked(words, application):
    if callable(application):
        return application
    text = "%s is %s, which is no WSGI application: it cannot be called" % (
        words, _kind(application))
    if isinstance(application, types.ModuleType):
        text += "; name something in it, as in %s:%s" % (application.__name__, DEFAULT_NAME)
    raise LoadError(text)


def _kind(thing):
    if thing is None:
        return "None"
    name = type(thing).__name__
    return ("an " if name[0] in "aeiouAEIOU" else "a ") + name


def _meant(name, choices, prefix=""):
    import difflib

    close = difflib.get_close_matches(name, choices, 3)
    if close:
        return "; did you mean %s?" % " or ".join(prefix + each for each in close)
    return ""

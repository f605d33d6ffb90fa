"""The server's own lines: time, process, level, text, on stderr.

Owns their form, which is gunicorn's. At the other end of the journal's socket (JOURNAL_STREAM) they
have a priority instead, as sd-daemon(3) describes: the journal knows time and process. Not Python's
`logging`, which belongs to the application, and takes longer to import than the command.
"""

import os
import sys
import time

from fapws import console

#: Name -> (number of `logging`, priority of syslog).
LEVELS = {
    "debug": (10, 7), "info": (20, 6), "warning": (30, 4), "error": (40, 3), "critical": (50, 2),
}


class ServerLog(object):
    """Writes lines of at least `level`. Has the methods of a `logging.Logger` that hooks use.

    Calling it is `info`.
    """

    def __init__(self, level="info"):
        self.level = level
        self._in_journal = _is_journal(os.environ.get("JOURNAL_STREAM", ""))

    def write(self, level, text):
        """Write a text of one or more lines."""
        number, priority = LEVELS[level]
        if number < LEVELS[self.level][0]:
            return
        if self._in_journal:
            lines = ["<%d>%s" % (priority, line) for line in text.split("\n")]
            console.complain("\n".join(lines) + "\n")
        else:
            console.complain("[%s] [%d] [%s] %s\n" % (_now(), os.getpid(), level.upper(), text))

    def debug(self, text, *arguments, **options):
        self._log("debug", text, arguments, options)

    def info(self, text, *arguments, **options):
        self._log("info", text, arguments, options)

    def warning(self, text, *arguments, **options):
        self._log("warning", text, arguments, options)

    def error(self, text, *arguments, **options):
        self._log("error", text, arguments, options)

    def critical(self, text, *arguments, **options):
        self._log("critical", text, arguments, options)

    def exception(self, text, *arguments, **options):
        self._log("error", text, arguments, dict(options, exc_info=True))

    warn = warning
    __call__ = info

    def log(self, level, text, *arguments, **options):
        """As `logging.Logger.log`: the level is a number, or a name of ours."""
        for name, (number, _) in sorted(LEVELS.items(), key=lambda item: -item[1][0]):
            if level == name or isinstance(level, int) and level >= number:
                self._log(name, text, arguments, options)
                return

    def _log(self, level, text, arguments, options):
        if arguments:
            # As `logging` has it, a single dict is for %(name)s.
            one = len(arguments) == 1 and isinstance(arguments[0], dict) and arguments[0]
            text = text % (arguments[0] if one else arguments)
        if options.get("exc_info") and sys.exc_info()[0]:
            text = "%s\n%s" % (text, _traceback())
        self.write(level, str(text) if not isinstance(text, type(u"")) else text)


def _traceback():
    """The traceback of the exception being handled."""
    try:
        import traceback
    except (ImportError, EnvironmentError):
        # No descriptor is left to import it.
        kind, error = sys.exc_info()[:2]
        return "%s: %s" % (kind.__name__, error)
    return traceback.format_exc().rstrip()


def _is_journal(stream):
    """Whether stderr is the stream that JOURNAL_STREAM names, device:inode."""
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return stream == "%d:%d" % (status.st_dev, status.st_ino)


def _now():
    moment = time.time()
    local = time.localtime(moment)
    return time.strftime("%Y-%m-%d %H:%M:%S ", local) + offset(moment)


def offset(moment):
    """The local offset from UTC at a time, as +0100. Python 2's %z is that of now."""
    local, universal = time.localtime(moment), time.gmtime(moment)
    days = local.tm_yday - universal.tm_yday
    if abs(days) > 1:
        days = -1 if days > 0 else 1  # the turn of the year is between them
    minutes = (days * 24 + local.tm_hour - universal.tm_hour) * 60 + local.tm_min - universal.tm_min
    return "%s%02d%02d" % (("-" if minutes < 0 else "+",) + divmod(abs(minutes), 60))

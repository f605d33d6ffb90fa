"""The kinds of values that settings have: how one is written, and which a program may give.

Owns the forms and their words for people. Which setting has which kind is the table's business
(fapws/settings.py). Reads nothing but the system's users and groups.
"""

_TEXT = type(u"")
_INTEGERS = (int, type(1 << 64))  # Python 2 has two types


class Unknown(ValueError):
    """The value has the form, and names nothing that there is."""


class Kind(object):
    """Values of one kind: how one is written, and which a program may give.

    parse(text) and check(value) return the value or raise ValueError, with words where `wanted`
    says too little: what the value must be. `Unknown` is a sentence of its own.
    """

    metavar = "TEXT"
    unit = ""
    wanted = "a string"
    #: Whether its option stands alone: `--reload`.
    is_flag = False
    #: What its option means without a value, where one may be left out.
    bare = None
    repeats = False

    def parse(self, text):
        return self.check(text)

    def check(self, value):
        if isinstance(value, (str, _TEXT)):
            return value
        raise ValueError


class Line(Kind):
    wanted = "one line, as a header is"

    def check(self, value):
        if not isinstance(value, (str, _TEXT)):
            raise ValueError("a string")
        if "\r" in value or "\n" in value or "\0" in value:
            raise ValueError
        return value


class Path(Kind):
    metavar = "FILE"


class OptionalPath(Path):
    bare = "-"


class Choice(Kind):
    def __init__(self, words):
        self.words = words
        self.metavar = "|".join(words)
        quoted = ['"%s"' % word for word in words]
        self.wanted = "%s or %s" % (", ".join(quoted[:-1]), quoted[-1])

    def check(self, value):
        if isinstance(value, (str, _TEXT)) and value.lower() in self.words:
            return str(value.lower())
        raise ValueError


class ProxyProtocol(Choice):
    bare = "auto"

    def check(self, value):
        if isinstance(value, bool):
            return "auto" if value else "off"
        return Choice.check(self, value)


class Flag(Kind):
    is_flag = True
    wanted = "True or False"
    _WORDS = {"1": True, "true": True, "yes": True, "on": True,
              "0": False, "false": False, "no": False, "off": False}

    def parse(self, text):
        if text.lower() not in self._WORDS:
            raise ValueError("1 or 0")
        return self._WORDS[text.lower()]

    def check(self, value):
        if isinstance(value, bool):
            return value
        raise ValueError


class Number(Kind):
    """Not below 0; `inf` is no limit."""

    metavar = "N"
    wanted = "a number, 0 or more"

    def __init__(self, unit="", metavar="N"):
        self.unit = unit
        self.metavar = metavar

    def parse(self, text):
        try:
            number = int(text)
        except ValueError:
            try:
                number = float(text)
            except ValueError:
                raise ValueError(self.wanted)
        return self.check(number)

    def check(self, value):
        is_number = isinstance(value, _INTEGERS + (float,)) and not isinstance(value, bool)
        if is_number and value >= 0:
            return value
        raise ValueError


class Size(Number):
    wanted = "a number of bytes, as 65536, 64K, 10M or 1G"

    def parse(self, text):
        factor = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:].upper())
        try:
            number = Number.parse(self, text[:-1] if factor else text)
        except ValueError:
            raise ValueError(self.wanted)
        return int(number * factor) if factor else number

    def check(self, value):
        try:
            return Number.check(self, value)
        except ValueError:
            raise ValueError(Number.wanted)


class Count(Kind):
    metavar = "N"

    def __init__(self, least):
        self.least = least
        self.wanted = "a whole number, %d or more" % least

    def parse(self, text):
        try:
            return self.check(int(text))
        except ValueError:
            raise ValueError(self.wanted)

    def check(self, value):
        is_integer = isinstance(value, _INTEGERS) and not isinstance(value, bool)
        if is_integer and value >= self.least:
            return value
        raise ValueError


class Umask(Kind):
    metavar = "MODE"
    wanted = "an octal number from 0 to 777, as 007"

    def parse(self, text):
        try:
            return self.check(int(text, 8))
        except ValueError:
            raise ValueError(self.wanted)

    def check(self, value):
        if isinstance(value, str):
            return self.parse(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0o777:
            return value
        raise ValueError


class Account(Kind):
    """The name or number of a user or group; the number is what counts."""

    def __init__(self, metavar, find):
        self.metavar = metavar
        self._find = find

    def check(self, value):
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, (str, _TEXT)) and value:
            return int(value) if value.isdigit() else self._find(str(value))
        raise ValueError("a name or a number")


class Texts(Kind):
    """A list; in one string its members stand between commas. An option that repeats has one."""

    wanted = "a string or a list of strings"

    def __init__(self, metavar, repeats=False):
        self.metavar = metavar
        self.repeats = repeats

    def parse(self, text):
        return self.check([text] if self.repeats else text)

    def check(self, value):
        if isinstance(value, (str, _TEXT)):
            return [word.strip() for word in value.split(",") if word.strip()]
        if isinstance(value, (list, tuple)):
            if all(isinstance(each, (str, _TEXT)) for each in value):
                return list(value)
        raise ValueError


class Networks(Texts):
    wanted = "addresses and networks between commas, as 127.0.0.1,10.0.0.0/8, or *"

    def check(self, value):
        words = Texts.check(self, value)
        for word in words:
            if not _is_network(word):
                raise ValueError
        return ",".join(words)


class Pairs(Texts):
    wanted = "NAME=VALUE"

    def check(self, value):
        pairs = Texts.check(self, value)
        if all("=" in pair for pair in pairs):
            return pairs
        raise ValueError


class Callable(Kind):
    wanted = "a function"

    def check(self, value):
        if callable(value):
            return value
        raise ValueError


def find_user(name):
    import pwd

    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise Unknown("there is no user %s" % name)


def find_group(name):
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise Unknown("there is no group %s" % name)


def _is_network(word):
    import socket

    address, slash, bits = word.partition("/")
    if word == "*":
        return True
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.inet_pton(family, address)
    except (socket.error, ValueError):
        return False
    most = 128 if family == socket.AF_INET6 else 32
    return not slash or bits.isdigit() and int(bits) <= most


TEXT, LINE, PATH, OPTIONAL_PATH = Kind(), Line(), Path(), OptionalPath()
FLAG, SIZE, CALLABLE = Flag(), Size("bytes", "SIZE"), Callable()
SECONDS, NUMBER = Number("seconds", "SECONDS"), Number()
POSITIVE, COUNT = Count(1), Count(0)
NETWORKS = Networks("ADDRESSES")

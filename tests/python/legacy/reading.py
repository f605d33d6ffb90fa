"""What a request says, read by the specification's words and by nothing else.

Owns: an independent, plain reading of a request's bytes: first line, headers, length, body, query.
Does not own: what a server makes of it. differences.py asks it which odd things a request holds and
what the application must see where the original saw something else.
Invariant: no byte makes it fail; what is not there is None.
"""

import re

_HEX = re.compile(rb"%([0-9A-Fa-f]{2})")
_BLANKS = b" \r\n"


class Reading:
    """A request by its parts.

    complete: the blank line came and, with a usable Content-Length, that much body.
    method, target, version: the first line's words (None when it has not all three).
    headers: (environ key, value) in order, as far as the head goes.
    length: the last Content-Length; None without one, -1 for one that is no number.
    wanted_by_the_original: the number behind the first `Content-Length: ` anywhere in the bytes,
        which is how the original knew how much to wait for; None without one.
    body: what follows the blank line, up to `length`; extra is what came after that.
    """

    def __init__(self, data):
        head, _, rest = data.lstrip(_BLANKS).partition(b"\r\n\r\n")
        first, _, lines = head.partition(b"\r")
        words = first.split(b" ", 2)
        whole = len(words) == 3 and all(word.lstrip(_BLANKS) for word in words)
        self.method, self.target, self.version = words if whole else (None, None, None)
        self.headers = list(_headers(lines))
        self.length = _length(dict(self.headers).get("HTTP_CONTENT_LENGTH"))
        first_number = re.search(rb"Content-Length: \s*(\d*)", data)
        self.wanted_by_the_original = int(first_number.group(1) or 0) if first_number else None
        self.complete = b"\r\n\r\n" in data and len(rest) >= self.wanted
        self.body, self.extra = rest[: self.wanted], rest[self.wanted :]

    @property
    def wanted(self):
        """How many bytes of body the request announces."""
        return max(self.length or 0, 0)

    @property
    def empty_values(self):
        """The keys of headers whose last value is empty."""
        return {key for key, value in dict(self.headers).items() if not value}

    @property
    def is_form(self):
        """Whether the body is urlencoded."""
        kind = dict(self.headers).get("HTTP_CONTENT_TYPE", b"")
        return self.method == b"POST" and kind.lower().startswith(
            b"application/x-www-form-urlencoded"
        )

    def path_and_query(self, script_name):
        """(PATH_INFO, query or None) of the target behind a prefix."""
        path, mark, query = self.target[len(script_name) :].partition(b"?")
        return decoded(path), query if mark else None


def decoded(text):
    """`+` is a space, `%XX` a byte, anything else is itself."""
    return _HEX.sub(lambda found: bytes([int(found.group(1), 16)]), text.replace(b"+", b" "))


def query_parameters(query):
    """Keys and lists of values, in order."""
    found = {}
    pairs = query.split(b"&")
    if not pairs[-1]:
        del pairs[-1]
    for pair in pairs:
        key, _, value = pair.partition(b"=")
        found.setdefault(decoded(key), []).append(decoded(value))
    return found


def _headers(lines):
    for line in lines.split(b"\r"):
        if not line.lstrip(_BLANKS):
            continue
        name, colon, value = line.partition(b":")
        if not colon:
            return
        key = b"HTTP_" + name.lstrip(_BLANKS).upper().replace(b"-", b"_")
        yield key.decode("latin-1"), value.lstrip(_BLANKS)


def _length(value):
    if value is None:
        return None
    return int(value) if re.fullmatch(rb"\s*[+]?\d+\s*", value) else -1

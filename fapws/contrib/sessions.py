"""Session data in a record that the program stores wherever it likes.

Owns the record's three entries, `sessionid`, `expiration_date` and `strdata`, and their form. Does
not own the cookie, nor the store that the record comes from and goes to. Invariant: a record
written on Python 2, by this or the original Fapws3, reads on Python 3, and the other way round;
each entry is ASCII text, so any column or file holds it.

`strdata` is a pickle: anybody who can write to the store can run code in the program.
"""

import binascii
import datetime
import os
import re
import sys

if sys.version_info[0] == 2:
    import cPickle as pickle
else:
    import pickle

_TEXT = type(u"")


class Session(object):
    """One session, over `sessiondb`: what has `get` and item assignment, such as a dict.

    A new record gets an id and an expiration date at once. max_age: seconds that it is valid.
    datetime_fmt: how strftime writes the expiration date, in local time. prepare_data: called
    with the pickle, a native string, and returns what goes into the record; None leaves it alone.

        record = store.get(cookies["sessionid"].value) or {}
        session = sessions.Session(record)
        data = session.getdata() or {}
        data["visits"] = data.get("visits", 0) + 1
        session.setdata(data)
        store[session.getid()] = record
    """

    def __init__(
        self,
        sessiondb,
        max_age=10 * 86400,
        datetime_fmt="%Y-%m-%d %H:%M:%S",
        prepare_data=None,
    ):
        self.sessiondb = sessiondb
        self.datetime_fmt = datetime_fmt
        self.max_age = max_age
        self.prepare_data = prepare_data
        if not sessiondb.get("sessionid"):
            self.newid()
        if not sessiondb.get("expiration_date"):
            self.update_expdate()

    def getdata(self):
        """The data, or None when there is none or the session has expired.

        Raises ValueError for an expiration date that is neither a datetime nor a string of the
        format.
        """
        expires = self.sessiondb.get("expiration_date")
        if not expires:
            return None
        if isinstance(expires, (str, _TEXT)):
            expires = datetime.datetime.strptime(expires, self.datetime_fmt)
        elif not isinstance(expires, datetime.datetime):
            raise ValueError("expiration_date must be a datetime or like %r" % self.datetime_fmt)
        if expires < datetime.datetime.now(expires.tzinfo):
            return None
        stored = self.sessiondb.get("strdata")
        return _unpickle(stored) if stored else None

    def setdata(self, data):
        """Put the data, anything that can be pickled, into the record."""
        stored = _pickle(data)
        if self.prepare_data:
            stored = self.prepare_data(stored)
        self.sessiondb["strdata"] = stored

    def newid(self):
        """Give the record a new id: 96 random bits as 24 hexadecimal digits."""
        self.sessiondb["sessionid"] = _native(binascii.hexlify(os.urandom(12)))

    def getid(self):
        """The record's id."""
        return self.sessiondb.get("sessionid")

    def update_expdate(self):
        """Let the session expire max_age seconds from now."""
        expires = datetime.datetime.now() + datetime.timedelta(seconds=self.max_age)
        self.sessiondb["expiration_date"] = expires.strftime(self.datetime_fmt)


def _pickle(data):
    # Protocol 0 is what the original wrote, and the only one that is text: ASCII, but for
    # characters of unicode strings, where the spelling that it has for wider ones is as good.
    pickled = pickle.dumps(data, 0)
    return _native(re.sub(b"[\x00-\x09\x0b-\x1f\x7f-\xff]", _escaped, pickled))


def _escaped(match):
    return ("\\u%04x" % ord(match.group())).encode("ascii")


def _unpickle(stored):
    if isinstance(stored, _TEXT):
        stored = stored.encode("latin-1")
    elif not isinstance(stored, bytes):
        # What a database gives for binary columns: buffer, memoryview.
        stored = memoryview(stored).tobytes()
    if str is bytes:
        return pickle.loads(stored)
    # Python 2's strings become text, byte by byte, as environ's do. Its datetimes need latin-1 too.
    return pickle.loads(stored, encoding="latin-1")


def _native(data):
    return data if str is bytes else data.decode("ascii")

"""fapws.contrib.sessions: the record's three entries, and that either Python reads the other's."""

import base64
import datetime
import json

import pytest
from fapws.contrib.sessions import Session

# Any character below 256 stands for itself in a pickle of protocol 0, the others are spelled out.
EVERY_CHARACTER = u"".join(map(chr if str is not bytes else unichr, range(256))) + u"\u20ac"  # noqa: F821
DATA = {
    u"text": EVERY_CHARACTER,
    u"numbers": [1, -(2**70), 1.5, None, True],
    u"when": datetime.datetime(2032, 1, 2, 3, 4, 5, 250000),
    u"nested": (u"a\nb'\"", {u"k": {1}}),
}

# What the original wrote on Python 2.7: cPickle.dumps({'a': 'caf\xc3\xa9', u'b': u'caf\xe9'}).
ORIGINAL = base64.b64decode("KGRwMQpTJ2EnClMnY2FmXHhjM1x4YTknCnAyCnNWYgpWY2Fm6QpwMwpzLg==")


def test_a_new_record_gets_an_id_and_a_date():
    record = {}
    session = Session(record)
    assert len(record["sessionid"]) == 24
    assert int(record["sessionid"], 16) >= 0
    assert type(record["sessionid"]) is str
    assert session.getid() == record["sessionid"]
    expires = datetime.datetime.strptime(record["expiration_date"], "%Y-%m-%d %H:%M:%S")
    left = expires - datetime.datetime.now()
    assert datetime.timedelta(days=9, hours=23) < left <= datetime.timedelta(days=10)
    assert session.getdata() is None


def test_ids_differ():
    record = {}
    session = Session(record)
    ids = {session.getid()}
    for _ in range(100):
        session.newid()
        ids.add(session.getid())
    assert len(ids) == 101


def test_an_existing_record_keeps_its_id_and_date():
    record = {"sessionid": "1", "expiration_date": "2999-01-01 00:00:00"}
    Session(record)
    assert record == {"sessionid": "1", "expiration_date": "2999-01-01 00:00:00"}


def test_data_comes_back():
    record = {}
    Session(record).setdata(DATA)
    assert Session(record).getdata() == DATA


def test_the_record_is_ascii_text():
    record = {}
    Session(record).setdata(DATA)
    assert type(record["strdata"]) is str
    assert set(record["strdata"]) <= set(map(chr, range(32, 127))) | {"\n"}
    # A record that was through JSON, and has its text as unicode on Python 2.
    assert Session(json.loads(json.dumps(record))).getdata() == DATA


def test_data_may_be_stored_as_bytes():
    record = {}
    Session(record, prepare_data=lambda text: bytearray(text.encode("ascii"))).setdata(DATA)
    assert Session(record).getdata() == DATA
    for kind in (bytes, memoryview):
        record["strdata"] = kind(bytes(record["strdata"]))
        assert Session(record).getdata() == DATA


def test_the_originals_record_is_read():
    expected = {"a": "caf\xc3\xa9", "b": u"caf\xe9"}
    for stored in (ORIGINAL, ORIGINAL.decode("latin-1")):
        assert Session({"strdata": stored}).getdata() == expected


def test_prepare_data_makes_what_is_stored():
    record = {}
    Session(record, prepare_data=lambda text: ["prepared", text]).setdata(1)
    assert record["strdata"] == ["prepared", "I1\n."]


@pytest.mark.parametrize(
    "expires, valid",
    [
        ("2999-01-01 00:00:00", True),
        (u"2999-01-01 00:00:00", True),
        (datetime.datetime(2999, 1, 1), True),
        ("1999-01-01 00:00:00", False),
        (datetime.datetime(1999, 1, 1), False),
    ],
)
def test_expiration(expires, valid):
    record = {"expiration_date": expires}
    Session(record).setdata("data")
    assert Session(record).getdata() == ("data" if valid else None)


@pytest.mark.parametrize("expires", [1, "tomorrow", datetime.date(2999, 1, 1)])
def test_a_date_that_is_none_is_an_error(expires):
    with pytest.raises(ValueError):
        Session({"expiration_date": expires}).getdata()


def test_a_record_whose_date_was_lost_has_no_data():
    record = {}
    session = Session(record)
    session.setdata("data")
    record["expiration_date"] = None
    assert session.getdata() is None


def test_max_age_and_format_are_the_programs():
    record = {}
    session = Session(record, max_age=-60, datetime_fmt="%d.%m.%Y %H:%M")
    datetime.datetime.strptime(record["expiration_date"], "%d.%m.%Y %H:%M")
    session.setdata("data")
    assert session.getdata() is None
    session.max_age = 3600
    session.update_expdate()
    assert session.getdata() == "data"


def test_any_record_with_get_and_item_assignment_will_do():
    class Record(object):
        def __init__(self):
            self.entries = {}

        def get(self, key, default=None):
            return self.entries.get(key, default)

        def __setitem__(self, key, value):
            self.entries[key] = value

    record = Record()
    Session(record).setdata(5)
    assert Session(record).getdata() == 5

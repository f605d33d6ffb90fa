"""The twin of fapws.contrib.sessions.

With a second argument it reads the record in that file instead, and prints its data; its own record
is among the outcomes.
"""

import datetime
import io
import json
import re
import sys
import time

from observe import case, plain, report

from fapws.contrib.sessions import Session

DATA = {
    "name": "text",
    "list": [1, 2.5, None, True],
    u"unicode": u"caf\xe9 \u20ac",
    "b\n": ("'", '"'),
}
NEVER = "2999-01-01 00:00:00"


def read(path):
    with io.open(path, encoding="ascii") as source:
        record = json.load(source)
    return {plain(key): plain(value) for key, value in Session(record).getdata().items()}


@case
def a_new_record():
    record = {}
    session = Session(record)
    until = time.mktime(time.strptime(record["expiration_date"], "%Y-%m-%d %H:%M:%S"))
    return (
        sorted(record),
        bool(re.match("[0-9a-f]{24}$", record["sessionid"])),
        0 <= time.time() + 864000 - until < 60,
        session.getid() == record["sessionid"],
        session.max_age,
    )


@case
def an_old_record():
    record = {"sessionid": "1", "expiration_date": NEVER}
    session = Session(record)
    kept = dict(record)
    session.newid()
    session.update_expdate()
    return kept, record["sessionid"] != "1", record["expiration_date"] != NEVER


@case
def data():
    record = {"sessionid": "1", "expiration_date": NEVER}
    session = Session(record)
    session.setdata(DATA)
    return session.getdata(), Session(record).getdata() == DATA


@case
def record():
    record = {"sessionid": "1", "expiration_date": NEVER}
    Session(record).setdata(DATA)
    return {"strdata": record["strdata"], "expiration_date": NEVER}


@case
def data_prepared():
    record = {}
    Session(record, prepare_data=lambda data: [isinstance(data, str)]).setdata(DATA)
    return record["strdata"]


@case
def expired():
    outcomes = []
    for expires in ("1999-01-01 00:00:00", datetime.datetime(1999, 1, 1), None):
        record = {}
        session = Session(record)
        session.setdata(DATA)
        record["expiration_date"] = expires
        outcomes.append(session.getdata())
    return outcomes


@case
def empty_data():
    return Session({"expiration_date": NEVER, "strdata": ""}).getdata()


@case
def another_format():
    record = {}
    Session(record, 60, "%d.%m.%Y").setdata(1)
    return bool(re.match(r"\d\d\.\d\d\.\d{4}$", record["expiration_date"]))


@case
def a_date_that_is_none():
    return Session({"expiration_date": 5, "strdata": "I1\n."}).getdata()


@case
def a_record_without_data():
    return Session({}).getdata()


if len(sys.argv) > 2:
    print(json.dumps(read(sys.argv[2])))
else:
    report()

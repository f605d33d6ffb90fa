"""A table of numbers in SQLite, in Flask, for a server with threads.

`/add?N` adds a row, `/count` counts them; `/rows?N` streams N rows from a connection that the
generator makes; `/wait` asks twice, some milliseconds apart; `/hello` needs no database.
"""

import os
import sqlite3
import time

from flask import Flask, Response, g, request

site = Flask(__name__)
FILE = os.environ["ROWS_FILE"]


def connect():
    # As by default, only the thread that made it may use it.
    database = sqlite3.connect(FILE, timeout=50, isolation_level="IMMEDIATE")
    database.execute("pragma synchronous = off")
    return database


def database():
    if "database" not in g:
        g.database = connect()
    return g.database


@site.teardown_appcontext
def close(error):
    if "database" in g:
        g.database.close()


@site.route("/hello")
def hello():
    return "hello"


@site.route("/add")
def add():
    with database() as opened:
        opened.execute("insert into rows values (?)", (int(request.query_string),))
    return "added"


@site.route("/wait")
def wait():
    (count,) = database().execute("select count(*) from rows").fetchone()
    time.sleep(0.005)
    (later,) = database().execute("select count(*) from rows").fetchone()
    return "grown" if later >= count else "shrunk"


@site.route("/count")
def count():
    return str(database().execute("select count(*) from rows").fetchone()[0])


@site.route("/rows")
def rows():
    wanted = int(request.query_string)

    def stream():
        opened = connect()
        try:
            for number in range(wanted):
                (given,) = opened.execute("select ?", (number,)).fetchone()
                if number % 10 == 5:
                    time.sleep(0.004)
                yield f"{given}\n"
        finally:
            opened.close()

    return Response(stream())


def register(evwsgi, base):
    with connect() as opened:
        opened.execute("create table rows (number)")
    evwsgi.wsgi_gen_cb(site)

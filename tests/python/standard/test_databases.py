"""Flask and Django on SQLite under mixed load, with threads.

A connection to SQLite belongs to the thread that made it, and it is an error when another one uses
it: each response has to be made by one thread, its end included.
"""

import random
import threading

import pytest
from standard.message import request
from standard.probe import Probe

REQUIREMENTS = {"flask": ["flask==3.1.2"], "django": ["django"]}

CLIENTS = 12


class Client(threading.Thread):
    """Sends a mix of requests, and counts what it added."""

    def __init__(self, server, seed, requests):
        super().__init__()
        self.server, self.draw, self.requests = server, random.Random(seed), requests
        self.added, self.answered, self.faults = 0, 0, []

    def run(self):
        try:
            with self.server.connect() as client:
                for _ in range(self.requests):
                    self.ask(client)
        except Exception as error:
            self.faults.append(repr(error))

    def ask(self, client):
        kind = self.draw.choice(["/hello"] * 6 + ["/add"] * 2 + ["/wait"] * 2 + ["/rows"])
        number = self.draw.randrange(40)
        client.send(request(f"{kind}?{number}"))
        response = client.response()
        expected = {
            "/hello": b"hello",
            "/add": b"added",
            "/wait": b"grown",
            "/rows": b"".join(b"%d\n" % each for each in range(number)),
        }
        if (response.status, response.body) != (200, expected[kind]):
            self.faults.append(f"{kind}?{number}: {response}")
        self.answered += 1
        self.added += kind == "/add"


@pytest.mark.wire
@pytest.mark.parametrize("requests", [50, pytest.param(400, marks=pytest.mark.slow)])
@pytest.mark.parametrize("framework", ["flask", "django"])
def test_mixed_load_on_a_database(interpreter, start_process, tmp_path, framework, requests):
    if interpreter.version[0] < 3:
        pytest.skip("threads need Python 3")
    env = {
        "ROWS_FILE": str(tmp_path / "rows.db"),
        "PYTHONPATH": str(interpreter.library(*REQUIREMENTS[framework])),
    }
    server = start_process(
        Probe, interpreter, f"frameworks/{framework}_rows.py", config={"threads": 6}, env=env
    )
    clients = [Client(server, seed, requests) for seed in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert [client.faults for client in clients] == [[]] * CLIENTS
    assert sum(client.answered for client in clients) == CLIENTS * requests
    added = sum(client.added for client in clients)
    assert server.request(request("/count")).body == b"%d" % added
    outcome = server.stop()
    outcome.check()
    assert "Traceback" not in outcome.stderr and "Error" not in outcome.stderr

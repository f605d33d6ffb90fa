"""Long bodies of an announced length are received into what `wsgi.input.read()` returns."""

import hashlib
import os
import random
import threading
import time

import pytest
from standard.message import post, request
from standard.probe import shared

#: Longer than `body_memory`, shorter than what is spooled at once.
LENGTH = 1 << 20
BODY = random.Random(4711).randbytes(LENGTH)


@pytest.fixture(scope="module")
def received(interpreter, tmp_path_factory):
    """A server of tests/apps/standard/received.py."""
    with shared(interpreter, "received.py", tmp_path_factory) as server:
        yield server


def seen(answer):
    """The body's length and digest as the application saw it."""
    length, digest, _ = answer.body.decode().split()
    return int(length), digest


def expected(body):
    return len(body), hashlib.sha256(body).hexdigest()


def test_read_returns_the_object_that_was_received_into(received, interpreter):
    if interpreter.major == 2 or os.environ.get("FAPWS_ABI3"):
        pytest.skip("no object's memory is used again there, so none is received into")
    for length in (65_537, LENGTH, 100_000):
        assert received.request(post("/", BODY[:length])).body.endswith(b"True")


@pytest.mark.parametrize("length", [65_537, 100_000, LENGTH - 1, LENGTH])
def test_it_is_what_was_sent_each_time(received, length):
    body = BODY[:length]
    with received.connect() as client:
        for _ in range(3):
            client.send(post("/", body))
            assert seen(client.response()) == expected(body)


def test_pieces_are_as_they_were_sent(received):
    assert seen(received.request(post("/pieces", BODY))) == expected(BODY)


def test_what_comes_behind_the_body_is_the_next_request(received):
    first, second = post("/", BODY), post("/", BODY[:70_000])
    with received.connect() as client:
        client.send(first + second + request("/"))
        assert seen(client.response()) == expected(BODY)
        assert seen(client.response()) == expected(BODY[:70_000])
        assert seen(client.response()) == expected(b"")


@pytest.mark.parametrize("cut", [1, 1000, 70_000, LENGTH - 1])
def test_a_body_that_comes_in_pieces(received, cut):
    """Between the two the clock goes on, and what is there of the body goes to a file."""
    message = post("/", BODY)
    head = len(message) - LENGTH
    with received.connect() as client:
        client.send(message[: head + cut])
        time.sleep(1.2)
        client.send(message[head + cut :])
        assert seen(client.response()) == expected(BODY)


def test_clients_that_leave_take_their_memory_with_them(received):
    message = post("/", BODY)
    for cut in (len(message) - 1, len(message) - LENGTH + 1) * 20:
        with received.connect() as client:
            client.send(message[:cut])
    assert seen(received.request(message)) == expected(BODY)


def test_many_at_a_time_have_each_their_own(received):
    answers, bodies = {}, [BODY[start:] + BODY[:start] for start in range(8)]

    def send(index):
        answers[index] = seen(received.request(post("/", bodies[index])))

    threads = [threading.Thread(target=send, args=[index]) for index in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert answers == {index: expected(body) for index, body in enumerate(bodies)}

"""The chat room: a browser and other clients hear one another."""

import functools

import pytest
from browser import Page
from program import Sample
from support.process import wait_until
from support.websocket import WebSocket

pytestmark = pytest.mark.wire

#: The class that the page's script gives to the body.
OPEN = "document.body && document.body.className"


@pytest.fixture
def chat(interpreter, start_process):
    if interpreter.version[0] < 3:
        pytest.skip("the library is of Python 3")
    library = interpreter.library("simple-websocket==1.1.0")
    return start_process(Sample, interpreter, "websocket", "run.py", library=library)


def test_visitors_hear_one_another(chat):
    first = WebSocket(chat.connect(), "/room")
    assert first.receive() == "somebody entered: 1 here"
    second = WebSocket(chat.connect(), "/room")
    assert first.receive() == second.receive() == "somebody entered: 2 here"
    second.send("hello")
    assert first.receive() == second.receive() == "hello"
    second.close()
    assert first.receive() == "somebody left: 1 here"
    assert chat.get("/").status == 200
    assert chat.get("/room").status == 404
    first.close()


def test_a_browser_in_the_room(chat):
    other = WebSocket(chat.connect(), "/room")
    assert other.receive() == "somebody entered: 1 here"
    with Page("http://127.0.0.1:%d/" % chat.address[1]) as page:
        wait_until(functools.partial(page.evaluate, OPEN), "the room")
        assert other.receive() == "somebody entered: 2 here"
        page.evaluate("document.querySelector('input').value = 'from the page'")
        page.evaluate("document.querySelector('button').click()")
        assert other.receive() == "from the page"
        other.send("from outside")
        assert other.receive() == "from outside"
        page.text("li:last-child", lambda text: text == "from outside")
    assert other.receive() == "somebody left: 1 here"
    other.close()

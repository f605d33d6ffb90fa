"""The sample of server-sent events: streams beside what is quick, and a browser that listens."""

import contextlib
import functools

import pytest
from browser import Page
from program import Sample
from support.process import wait_until

pytestmark = pytest.mark.wire

STREAMS = 50


@pytest.fixture
def events(interpreter, start_process):
    if interpreter.version[0] < 3:
        pytest.skip("threads need Python 3")
    return start_process(Sample, interpreter, "events", "run.py")


@pytest.mark.long(5)
def test_fifty_streams_beside_what_is_quick(events):
    """Each stream is open, and waits, when the next one comes."""
    with contextlib.ExitStack() as stack:
        streams = []
        for number in range(STREAMS):
            stream = stack.enter_context(events.connect())
            stream.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            stream.read_until(b": welcome\n\n")
            streams.append(stream)
            assert events.get("/").status == 200, number
        for words in ("first", "zw\u00f6lf"):
            assert events.post("/say", words.encode()).status == 204
            for stream in streams:
                stream.read_until(f"data: {words}\n\n".encode())
            assert events.get("/").status == 200
    assert events.get("/nowhere").status == 404
    assert events.get("/say").status == 405


@pytest.mark.long(6)
def test_a_browser_hears_what_others_say(events):
    with Page("http://127.0.0.1:%d/" % events.address[1]) as page:
        opened = functools.partial(page.evaluate, "document.body && document.body.className")
        wait_until(opened, "the stream")
        events.post("/say", b"hello from outside")
        assert page.text("li", str) == "hello from outside"
        page.evaluate("document.querySelector('input').value = 'from the page'")
        page.evaluate("document.querySelector('button').click()")
        page.text("li", lambda text: text == "from the page")

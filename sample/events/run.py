#!/usr/bin/env python
"""Server-sent events: what one visitor says, all others see at once. Python 3.

    python run.py [port]

    Open http://127.0.0.1:8080/ in two windows, or
    curl -N http://127.0.0.1:8080/events
    curl -d 'hello' http://127.0.0.1:8080/say

A stream is a generator that waits for the next message and yields it. It holds a thread while it
waits, so the server needs one thread for each visitor; what is quick, such as `/`, needs none.
"""
import sys
import threading

import fapws

#: How many visitors can listen at a time.
LISTENERS = 64

#: After so many seconds without a message a line is sent that browsers ignore: a visitor who has
#: left shows by it.
SILENCE = 5

PAGE = b"""<!DOCTYPE html>
<html lang="en">
<title>Events</title>
<form><input name="words" autofocus> <button>Say</button></form>
<ul></ul>
<script>
  const source = new EventSource("/events");
  source.onopen = () => document.body.classList.add("open");
  source.onmessage = event => {
    const item = document.createElement("li");
    item.textContent = event.data;
    document.querySelector("ul").prepend(item);
  };
  document.querySelector("form").onsubmit = event => {
    event.preventDefault();
    const field = event.target.elements.words;
    fetch("/say", {method: "POST", body: field.value});
    field.value = "";
  };
</script>
"""


class Messages(object):
    """The last messages, numbered from 0 on."""

    KEPT = 100

    def __init__(self):
        self._changed = threading.Condition()
        self._messages = []
        self._dropped = 0

    def count(self):
        """How many there were."""
        with self._changed:
            return self._dropped + len(self._messages)

    def add(self, message):
        """Add one, for everybody who waits."""
        with self._changed:
            self._messages.append(message)
            if len(self._messages) > self.KEPT:
                del self._messages[0]
                self._dropped += 1
            self._changed.notify_all()

    def since(self, number, patience):
        """Those from this number on, and the number of the next; waits for one, for a time."""
        with self._changed:
            if number == self._dropped + len(self._messages):
                self._changed.wait(patience)
            first = max(0, number - self._dropped)
            return self._messages[first:], self._dropped + len(self._messages)


messages = Messages()


def events(environ, start_response):
    """`/events`: each message as an event, until the visitor leaves."""
    start_response("200 OK", [
        ("Content-Type", "text/event-stream; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("X-Accel-Buffering", "no"),  # nginx passes each on at once
    ])
    number = messages.count()
    yield b": welcome\n\n"
    while True:
        news, number = messages.since(number, SILENCE)
        lines = [line for message in news for line in ("data: " + message, "")]
        yield "\n".join(lines + [""] if lines else [": silence", "", ""]).encode("utf-8")


def say(environ, start_response):
    """`POST /say`: one line is one message."""
    if environ["REQUEST_METHOD"] != "POST":
        start_response("405 Method Not Allowed", [("Allow", "POST")])
        return [b""]
    words = environ["wsgi.input"].read(1000).decode("utf-8", "replace")
    messages.add(" ".join(words.split()))
    start_response("204 No Content", [])
    return [b""]


def page(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [PAGE]


def application(environ, start_response):
    serve = {"/": page, "/events": events, "/say": say}.get(environ["PATH_INFO"])
    if serve is None:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"no such page\n"]
    return serve(environ, start_response)


def main():
    port = sys.argv[1] if len(sys.argv) > 1 else "8080"
    # Browsers come back by themselves, so at the end nobody waits for them.
    fapws.serve(application, "127.0.0.1:" + port, threads=LISTENERS, graceful_timeout=1)


if __name__ == "__main__":
    main()

#!/usr/bin/env python
"""A chat room over WebSocket. Python 3, after `pip install simple-websocket`.

    python run.py [port]

    Open http://127.0.0.1:8080/ in two windows.

`simple_websocket` finds the connection in the environ (`werkzeug.socket`) and takes it over; the
call lasts for as long as the visitor stays, and holds a thread. The page itself needs none of them.
"""
import sys
import threading

import simple_websocket

import fapws

#: How many visitors the room has place for.
VISITORS = 200

PAGE = b"""<!DOCTYPE html>
<html lang="en">
<title>Chat</title>
<form><input name="words" autofocus> <button>Say</button></form>
<ul></ul>
<script>
  const room = new WebSocket(`ws://${location.host}/room`);
  room.onopen = () => document.body.classList.add("open");
  room.onmessage = event => {
    const item = document.createElement("li");
    item.textContent = event.data;
    document.querySelector("ul").append(item);
  };
  document.querySelector("form").onsubmit = event => {
    event.preventDefault();
    room.send(event.target.elements.words.value);
    event.target.elements.words.value = "";
  };
</script>
"""


class Room(object):
    """The visitors, and what they say."""

    def __init__(self):
        self._lock = threading.Lock()
        self._visitors = set()

    def enter(self, visitor):
        with self._lock:
            self._visitors.add(visitor)
            count = len(self._visitors)
        self.say("somebody entered: %d here" % count)

    def leave(self, visitor):
        with self._lock:
            self._visitors.discard(visitor)
            count = len(self._visitors)
        self.say("somebody left: %d here" % count)

    def say(self, words):
        """To everybody; a visitor who has left is removed by its own thread."""
        with self._lock:
            visitors = list(self._visitors)
        for visitor in visitors:
            try:
                visitor.send(words)
            except (simple_websocket.ConnectionClosed, OSError):
                pass


room = Room()


def chat(environ, start_response):
    """`/room`: what this visitor says goes to all."""
    # Pings find out who left without a word.
    visitor = simple_websocket.Server.accept(environ, ping_interval=25, max_message_size=1000)
    room.enter(visitor)
    try:
        while True:
            room.say(visitor.receive())
    except simple_websocket.ConnectionClosed:
        return []
    finally:
        room.leave(visitor)


def page(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [PAGE]


def application(environ, start_response):
    if environ["PATH_INFO"] == "/":
        return page(environ, start_response)
    if environ["PATH_INFO"] == "/room" and environ.get("HTTP_UPGRADE", "").lower() == "websocket":
        return chat(environ, start_response)
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"no such page\n"]


def main():
    port = sys.argv[1] if len(sys.argv) > 1 else "8080"
    fapws.serve(application, "127.0.0.1:" + port, threads=VISITORS, graceful_timeout=1)


if __name__ == "__main__":
    main()

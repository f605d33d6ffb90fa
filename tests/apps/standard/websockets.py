"""A page, an echo by Flask-Sock, and Flask-SocketIO in threading mode, on one application."""
import os

from flask import Flask, send_file
from flask_sock import Sock
from flask_socketio import SocketIO, emit

import journal

app = Flask(__name__)
sock = Sock(app)
# A client who left while it polled is noticed soon, unless a test wants no pings.
PING = float(os.environ.get("SOCKETIO_PING", "1"))
socketio = SocketIO(app, async_mode="threading", ping_interval=PING, ping_timeout=PING)

PAGE = """<!DOCTYPE html>
<title>SocketIO</title>
<p id="heard"></p><p id="transport"></p>
<script src="/client.js"></script>
<script>
  const socket = io({transports: TRANSPORTS});
  const show = (id, text) => { document.getElementById(id).textContent += text; };
  // The upgrade may be over before the namespace is connected: its listener cannot wait for that.
  socket.io.on("open", () => {
    const engine = socket.io.engine;
    engine.once("upgrade", () => show("transport", "upgraded to " + engine.transport.name));
  });
  socket.on("connect", () => socket.emit("say", "from " + socket.io.engine.transport.name));
  socket.on("said", text => show("heard", text));
</script>
"""


@app.route("/")
def hello():
    return "hello"


@sock.route("/echo")
def echo(client):
    while True:
        client.send(client.receive())


@app.route("/client.js")
def client():
    return send_file(os.environ["SOCKETIO_CLIENT"], mimetype="text/javascript")


@app.route("/page/<transports>")
def page(transports):
    listed = ", ".join('"%s"' % name for name in transports.split("+"))
    return PAGE.replace("TRANSPORTS", "[%s]" % listed)


@socketio.on("say")
def say(text):
    emit("said", "you said: %s" % text)


def register(evwsgi, base):
    evwsgi.wsgi_cb(("/journal", journal.ROUTES["/journal"]))
    evwsgi.wsgi_cb(("/", app))

"""The hello of Flask's own quick start."""

from flask import Flask

app = Flask(__name__)


@app.route("/")
def hello():
    """A body only; Flask adds type and length."""
    return "Hello, World!"

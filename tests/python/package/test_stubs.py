"""Holds the type stubs against the modules themselves, the core included, with mypy."""

import pytest
from programs import output_of

#: One module is made for gunicorn, and imports it.
NEEDED = ["mypy", "gunicorn", "types-gunicorn"]

MODULES = [
    "fapws._evwsgi",
    "fapws.base",
    "fapws.client_socket",
    "fapws.config",
    "fapws.contrib",
    "fapws.serving",
]


@pytest.mark.long(7)
def test_the_stubs_say_what_the_modules_have(python3, tmp_path):
    output_of(python3, ["-m", "mypy.stubtest", *MODULES], tmp_path, NEEDED)


def test_a_program_can_be_checked_against_them(python3, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        """
import fapws._evwsgi as evwsgi
from fapws import base, client_socket, config
from fapws.contrib import log, multipart, sessions, views, zip
from fapws.contrib.siforms import forms, widgets

class Person(forms.Form):
    name = widgets.Text("Name", required=True)

def hello(environ: dict[str, object], start_response: base.Start_response) -> list[bytes]:
    start_response("200 OK", [("Content-Length", 5)])
    start_response.set_cookie("a", "b", max_age=60)
    return [b"hello"]

def echo(environ: dict[str, object], start_response: base.Start_response) -> list[bytes]:
    offered = environ["werkzeug.socket"]
    if isinstance(offered, client_socket.ClientSocket):
        offered.sendall(offered.recv(100))
    return []

config.header_timeout = 10
evwsgi.start("127.0.0.1", "8080")
evwsgi.set_base_module(base)
evwsgi.wsgi_cb(("/static/", views.Staticfile("/srv/static/", maxage=60)))
evwsgi.wsgi_gen_cb(log.Log()(zip.Gzip()(hello)))
timers: int = evwsgi.add_timer(1.5, lambda: None)
record: dict[str, str] = {}
sessions.Session(record).setdata({"a": 1})
page: str = Person().render_form(["name"])
evwsgi.run()
"""
    )
    output_of(python3, ["-m", "mypy", "--strict", program], tmp_path, NEEDED)

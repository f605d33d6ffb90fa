#!/usr/bin/env python
"""A small wiki: pages in a folder, forms, pictures, and a line of log for each request.

    python run.py [port]

    then open http://127.0.0.1:8085/ in a browser

This file says which URL is whose. `wiki.py` has the applications, `store.py` keeps the pages,
`markup.py` turns their text into HTML. Anybody who reaches the wiki may write: put a proxy that
asks for a password in front of it before strangers can.
"""
import os
import sys

import fapws._evwsgi as evwsgi
from fapws import base
from fapws.contrib.log import Log
from fapws.contrib.views import Staticfile

from store import Pages
from wiki import Wiki

HERE = os.path.dirname(os.path.abspath(__file__))


def serve(port):
    wiki = Wiki(Pages(os.path.join(HERE, "pages")), os.path.join(HERE, "templates"))
    log = Log()
    evwsgi.start("127.0.0.1", port)
    evwsgi.set_base_module(base)
    # A URL is a prefix and the first that fits wins, so the shortest one comes last.
    evwsgi.wsgi_cb(("/static/", log(Staticfile(os.path.join(HERE, "static", "")))))
    evwsgi.wsgi_cb(("/favicon.ico", Staticfile(os.path.join(HERE, "static", "img", "logo.png"))))
    evwsgi.wsgi_cb(("/display/", log(wiki.display)))
    evwsgi.wsgi_cb(("/edit", log(wiki.edit)))
    evwsgi.wsgi_cb(("/new", log(wiki.edit)))
    evwsgi.wsgi_cb(("/delete", log(wiki.delete)))
    evwsgi.wsgi_cb(("/", log(wiki.index)))
    evwsgi.run()


if __name__ == "__main__":
    serve(sys.argv[1] if len(sys.argv) > 1 else "8085")

"""The wiki's applications: list the pages, show one, edit one, delete one.

What comes from a request is turned into text once, by `text_of`. What goes into HTML is escaped
where the HTML is made, and nowhere else.
"""
import io
import os
import string

from fapws.contrib.headers import redirect
from fapws.contrib.siforms import forms, widgets

from markup import escape, render, url
from store import is_name

HTML = [
    ("Content-Type", "text/html; charset=utf-8"),
    # Should a script get into a page in spite of all, a browser does not run it.
    ("Content-Security-Policy", "default-src 'self'"),
    ("X-Content-Type-Options", "nosniff"),
]

# Python 2 and 3 spell a metaclass differently; calling it makes the same class on both.
PageForm = forms.FormFactory(
    "PageForm",
    (forms.Form,),
    {
        "page": widgets.Text(u"Page", required=True),
        "content": widgets.Area(u"Text", required=True, rows=16, cols=72),
    },
)
FIELDS = ["page", "content"]


class Wiki(object):
    def __init__(self, pages, templates):
        self.pages = pages
        with io.open(os.path.join(templates, "page.html"), encoding="utf-8") as template:
            self.template = string.Template(template.read())
        with io.open(os.path.join(templates, "delete.html"), encoding="utf-8") as template:
            self.delete_button = string.Template(template.read())

    def index(self, environ, start_response):
        if environ["PATH_INFO"] not in ("", "/"):
            return self.missing(start_response, u"There is no such page.")
        items = [
            u'<li><a href="%s">%s</a></li>' % (url("/display/", name), escape(name))
            for name in self.pages.names()
        ]
        content = u"<ul>\n%s\n</ul>" % u"\n".join(items) if items else u"<p>No page yet.</p>"
        return self.respond(start_response, "200 OK", u"All pages", content)

    def display(self, environ, start_response):
        name = text_of(environ["PATH_INFO"])
        if not is_name(name):
            return self.missing(start_response, u"A page cannot be called that.")
        if not self.pages.exists(name):
            return redirect(start_response, url("/edit?page=", name))
        content = render(self.pages.read(name), self.pages.exists)
        content += self.delete_button.substitute(page=escape(name))
        tools = icon(url("/edit?page=", name), u"edit", u"Edit this page")
        return self.respond(start_response, "200 OK", name, content, tools)

    def edit(self, environ, start_response):
        values = {field: parameter(environ, field) for field in FIELDS}
        form = PageForm(action="/edit", method="post")
        form.submit([("Save", "save", "")])
        if environ["REQUEST_METHOD"] != "POST":
            if self.pages.exists(values["page"]):
                values["content"] = self.pages.read(values["page"])
            form.values = values
            return self.form(start_response, "200 OK", form)
        form.validate(values, FIELDS)
        form.values = values
        if values["page"] and not is_name(values["page"]):
            form.errors["page"] = [u"Only letters, digits, blanks, dots, dashes, and not too many"]
        if form.errors:
            return self.form(start_response, "400 Bad Request", form)
        self.pages.write(values["page"], values["content"].replace(u"\r\n", u"\n"))
        return redirect(start_response, url("/display/", values["page"]))

    def delete(self, environ, start_response):
        """By POST alone: whatever follows links must not delete what it finds."""
        name = parameter(environ, "page")
        if environ["REQUEST_METHOD"] != "POST":
            start_response("405 Method Not Allowed", [("Allow", "POST")] + HTML)
            return []
        if not self.pages.exists(name):
            return self.missing(start_response, u"There is no such page.")
        self.pages.delete(name)
        return redirect(start_response, "/")

    def form(self, start_response, status, form):
        page = form.values["page"]
        back = url("/display/", page) if self.pages.exists(page) else "/"
        tools = icon(back, u"cancel", u"Leave without saving")
        return self.respond(start_response, status, u"Edit", form.render_form(FIELDS), tools)

    def missing(self, start_response, words):
        return self.respond(start_response, "404 Not Found", u"Nothing", u"<p>%s</p>" % words)

    def respond(self, start_response, status, title, content, tools=u""):
        page = self.template.substitute(title=escape(title), tools=tools, content=content)
        start_response(status, HTML)
        return [page.encode("utf-8")]


def icon(href, name, words):
    return u'<a href="%s"><img src="/static/img/%s.png" alt="%s" title="%s"></a>' % (
        href,
        name,
        words,
        words,
    )


def parameter(environ, name):
    """A value of the query, or of the form that was posted, as text without blanks around it."""
    return text_of(environ["fapws.params"].get(name, [""])[0]).strip()


def text_of(native):
    """The text behind a string of the environ: bytes on Python 2, latin-1 on 3, UTF-8 within."""
    if not isinstance(native, bytes):
        native = native.encode("latin-1")
    return native.decode("utf-8", "replace")

"""A form: it lays out widgets, checks what came back, and lists records in a table.

    class Person(forms.Form):
        name = widgets.Text("Name", required=True)
        age = widgets.Integer("Age")

    form = Person(action="/save")
    form.submit([("send", "go", "")])
    form.render_form(["name", "age"])

Owns the frame around widgets. Invariant: what comes from values, names and records is escaped.
"""

import sys

from fapws.contrib.siforms.markup import attributes, escape, to_text

if sys.version_info[0] == 2:
    from urllib import quote
else:
    from urllib.parse import quote


class FormFactory(type):
    """The class of form classes: collects their public attributes, the widgets, in `datas`."""

    def __init__(cls, name, bases, dct):
        cls.datas = {key: value for key, value in dct.items() if key[0] != "_"}
        super(FormFactory, cls).__init__(name, bases, dct)


class _Form(object):
    """What a form can do; `Form` is this, made by FormFactory.

    action, method: attributes of the form element, as are further arguments; `class_` is `class`.
    values: the valid values of the last `validate`, and what `render_form` shows. errors: a dict of
    names to lists of messages. A class that is listed has `_html_list`, the names of its columns,
    and `_dbkey`, those whose values identify a record.
    """

    def __init__(self, action="", method="post", **kw):
        self.errors = {}
        self.values = {}
        self.action = action
        self.method = method
        # One by one: Python 2 would order the names anew if one of them changed.
        self.parameters = u"".join(
            u" " + attributes({"class" if name == "class_" else name: value})
            for name, value in kw.items()
        )
        self.submit_text = ""

    def submit(self, buttons):
        """Set `submit_text` from a list of (value, name, params), params being attributes as is."""
        inputs = u"".join(
            u'<input type="submit" value="%s" name="%s" %s/>' % (escape(value), escape(name), given)
            for value, name, given in buttons
        )
        self.submit_text = u'<fieldset class="submit">%s</fieldset>' % inputs

    def render_error(self, name):
        """The HTML of a field's error messages."""
        items = [u"<li>%s</li>" % escape(error) for error in self.errors[name]]
        return u'<div><ul class="errorlist">%s</ul></div>' % u"".join(items)

    def render_form(self, form_fields):
        """The form's HTML, with the fields of these names in this order."""
        head = (escape(self.action), escape(self.method), self.parameters)
        parts = [u'<form action="%s" method="%s" %s>\n<fieldset>\n<ol>\n' % head]
        for name in form_fields:
            field = self.datas[name].render(name, self.values.get(name, ""))
            if name in self.errors:
                parts.append(u'<li class="error">%s%s\n</li>\n' % (field, self.render_error(name)))
            else:
                parts.append(u"<li>%s</li>\n" % field)
        parts.append(u"</ol>\n</fieldset>\n%s</form>\n" % self.submit_text)
        return u"".join(parts)

    def validate(self, input_values, form_fields):
        """Check these fields: good values go into `values`, messages of the rest into `errors`."""
        self.errors = {}
        for name in form_fields:
            value = input_values[name] if name in input_values else ""
            errors = self.datas[name].isvalid(value)
            if errors:
                self.errors[name] = errors
            else:
                self.values[name] = value

    def render_list(self, records):
        """A table of records, dicts; the first column links to /admin/edit/CLASS/KEY."""
        parts = [u'<table class="tablesorter">\n<thead>\n<tr>']
        parts += [u"<th>%s</th>" % escape(name) for name in self._html_list]
        parts.append(u"</tr>\n</thead>\n<tbody>")
        for number, record in enumerate(records):
            row_class = u"odd" if number % 2 else u"even"
            parts.append(u'<tr class="%s">%s</tr>\n' % (row_class, self._cells(record)))
        parts.append(u"\n</tbody>\n</table>")
        return u"".join(parts)

    def _cells(self, record):
        key = u"/".join(_path_segment(record[name]) for name in self._dbkey)
        link = u'<a href="/admin/edit/%s/%s">' % (self.__class__.__name__, escape(key))
        cells = []
        for name in self._html_list:
            shown = escape(record[name] or "")
            if not cells:
                shown = link + shown + u"</a>"
            cells.append(u"<td %s>%s</td>" % (self.datas[name].list_attrs, shown))
        return u"".join(cells)


# One source for both Pythons has no syntax for a metaclass. A subclass that says `__metaclass__ =
# FormFactory`, as Python 2's must, means the same on both.
Form = FormFactory("Form", (_Form,), {"__doc__": _Form.__doc__})


def _path_segment(value):
    return to_text(quote(to_text(value).encode("utf-8"), safe=""))

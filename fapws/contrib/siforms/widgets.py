"""The fields of a form: each renders its label and its input, and checks a value.

Owns the HTML and the error messages of single fields; `forms` puts them together. Invariant:
labels, values and attributes are escaped; the names of attributes and tags are the program's own.
"""

import re
import string

from fapws.contrib.siforms.markup import attributes, escape, to_text

_NOT_IN_ID = re.compile("[%s\\s]" % re.escape(string.punctuation))


def makeid(name):
    """A field's name as an id: ASCII letters and digits only, as a native string."""
    return _NOT_IN_ID.sub("", str(to_text(name).encode("ascii", "ignore").decode("ascii")))


class Widget(object):
    """A field.

    label: text of the label; none is rendered for "". required: whether isvalid rejects an empty
    value; the label then has the class "required". default: rendered in the place of an empty
    value. Further arguments are attributes of the input; `class_` stands for `class`.

    params and label_attr (dicts): attributes of the input and of the label, free to be changed.
    list_attrs: attributes, as they are, of a cell in `Form.render_list`. base: the input's tag.
    """

    def __init__(self, label, required=False, default="", **kw):
        self.base = ""
        self.list_attrs = ""
        self.params = kw
        self.label = to_text(label)
        self.required = required
        self.default = default
        self.label_attr = {"class": "table"}

    def getlabel(self, name):
        """The label's HTML."""
        if not self.label:
            return u""
        if self.required and "required" not in self.label_attr.get("class", ""):
            self.label_attr["class"] = (self.label_attr.get("class", "") + " required").strip()
        given = attributes(self.label_attr)
        return u'<label for="%s" %s>%s</label>' % (
            makeid(name),
            given + u" " if given else u"",
            escape(self.label),
        )

    def render(self, name, value):
        """The HTML of label and input for a field of that name and value."""
        return self.getlabel(name) + u'<%s name="%s" value="%s" %s/>' % (
            self.base,
            escape(name),
            escape(value or self.default),
            self._attributes(),
        )

    def isrequired(self, value):
        """A list with an error message if the value is missing but required, else an empty one."""
        if self.required and value in (None, ""):
            return ["Value cannot be empty"]
        return []

    def isvalid(self, value):
        """The list of error messages for a value."""
        return self.isrequired(value)

    def _attributes(self):
        if "class_" in self.params:
            # In this order, which Python 2 orders the attributes by.
            self.params["class"] = self.params["class_"]
            del self.params["class_"]
        return attributes(self.params)


class Text(Widget):
    """A line of text.

    >>> print(Text("Name").render("name", "<b>"))
    <label for="name" class="table" >Name</label><input name="name" value="&lt;b&gt;" type="text"/>
    >>> Text("Name", required=True).isvalid("") == ["Value cannot be empty"]
    True
    """

    def __init__(self, *lw, **kw):
        super(Text, self).__init__(*lw, **kw)
        self.params["type"] = "text"
        self.base = "input"


class ReadonlyText(Text):
    """A line of text that cannot be changed."""

    def __init__(self, *lw, **kw):
        super(ReadonlyText, self).__init__(*lw, **kw)
        self.params["readonly"] = "1"


class Hidden(Widget):
    """A value that is not shown. Its label is "", usually."""

    def __init__(self, *lw, **kw):
        super(Hidden, self).__init__(*lw, **kw)
        self.params["type"] = "hidden"
        self.base = "input"


class Integer(Widget):
    """A whole number, of which int() decides what one is."""

    def __init__(self, *lw, **kw):
        super(Integer, self).__init__(*lw, **kw)
        self.params["type"] = "text"
        self.params["size"] = 5
        self.base = "input"
        self.list_attrs = 'class="nowrap"'

    def isvalid(self, value):
        """See Widget."""
        if not self.required and not value:
            return []
        errors = super(Integer, self).isvalid(value)
        try:
            int(value)
        except (TypeError, ValueError, OverflowError):
            errors.append("Value is not an integer")
        return errors


class Area(Widget):
    """Text of several lines, 40 columns and 10 rows by default."""

    def __init__(self, *lw, **kw):
        super(Area, self).__init__(*lw, **kw)
        self.params.setdefault("cols", 40)
        self.params.setdefault("rows", 10)
        self.base = "textarea"
        # COMPAT(fapws3): sic; style sheets know the class by this spelling.
        self.label_attr["class"] = "bellow"

    def render(self, name, value):
        """See Widget."""
        return self.getlabel(name) + u'<%s name="%s" %s>%s</%s>' % (
            self.base,
            escape(name),
            self._attributes(),
            escape(value or self.default),
            self.base,
        )


class Check(Widget):
    """A box to tick: its value is "1", or missing. Ticked by any value or default."""

    def __init__(self, *lw, **kw):
        super(Check, self).__init__(*lw, **kw)
        self.params["type"] = "checkbox"
        self.base = "input"

    def render(self, name, value):
        """See Widget."""
        if self.default or value:
            self.params["checked"] = "checked"
        else:
            self.params.pop("checked", None)
        return self.getlabel(name) + u'<%s name="%s" value="1" %s/>' % (
            self.base,
            escape(name),
            self._attributes(),
        )

    def isvalid(self, value):
        """No error: a box that is not ticked is a valid value."""
        return []


class Boolean(Check):
    """A Check by another name."""


class Password(Text):
    """A line of text that is not shown while it is typed."""

    def __init__(self, *lw, **kw):
        super(Password, self).__init__(*lw, **kw)
        self.params["type"] = "password"


class Dropdown(Widget):
    """One of `options`, a list of (value, text) that is set after construction.

    When required, the value must be among them and not "-1", which stands for no choice.
    """

    def __init__(self, *lw, **kw):
        super(Dropdown, self).__init__(*lw, **kw)
        self.base = "select"
        self.options = []

    def render(self, name, value):
        """See Widget."""
        selected = to_text(value or self.default)
        lines = [u'<%s name="%s" %s>\n' % (self.base, escape(name), self._attributes())]
        for option, text in self.options:
            mark = u' selected="selected"' if to_text(option) == selected else u""
            parts = (escape(option), mark, escape(text))
            lines.append(u'<option value="%s"%s>%s</option>\n' % parts)
        return self.getlabel(name) + u"".join(lines) + u"</select>"

    def isvalid(self, value):
        """See Widget."""
        value = to_text(value)
        errors = super(Dropdown, self).isvalid(value)
        if self.required:
            if value not in [to_text(option) for option, _ in self.options]:
                errors.append("Value not in the list")
            if value == u"-1":
                errors.append("Not a valid value")
        return errors


class Foreignkey(Dropdown):
    """A Dropdown of another table's records.

    url_other_table: where a record can be added, opened by a link in a window of its own; "" for
    none.
    """

    def __init__(self, *lw, **kw):
        super(Foreignkey, self).__init__(*lw, **kw)
        self.url_other_table = ""

    def render(self, name, value):
        """See Widget."""
        html = super(Foreignkey, self).render(name, value)
        if not self.url_other_table:
            return html
        # Within a string of JavaScript: neither its quote nor its escape may come through.
        url = to_text(self.url_other_table).replace(u"\\", u"%5C").replace(u"'", u"%27")
        return html + (
            u"<a href=\"#\" onClick=\"window.open('%s?_open=popup','mywindow',"
            u"'width=900,height=600,scrollbars=yes,resizable=yes')\"> "
            u'<img src="/static/images/add.png" height="12"/></a>'
        ) % escape(url)


class _Moment(Widget):
    """A line of text of a fixed pattern."""

    _pattern = ""
    _error = ""

    def __init__(self, *lw, **kw):
        super(_Moment, self).__init__(*lw, **kw)
        self.params["type"] = "text"
        self.base = "input"

    def isvalid(self, value):
        """See Widget."""
        errors = super(_Moment, self).isvalid(value)
        # DIFFERS(fapws3): the original looked at the length and one of the separators.
        if value and not re.match(self._pattern, to_text(value)):
            errors.append(self._error)
        return errors


class Date(_Moment):
    """A date as yyyy-mm-dd; whether the calendar has it is not checked."""

    _pattern = r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z"
    _error = "Date must have the format yyyy-mm-dd"


class DateTime(_Moment):
    """A date and time as yyyy-mm-dd HH:MM:SS."""

    _pattern = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\Z"
    _error = "Date must have the format yyyy-mm-dd HH:MM:SS"


class File(Widget):
    """A file to upload."""

    def __init__(self, *lw, **kw):
        super(File, self).__init__(*lw, **kw)
        self.params["type"] = "file"
        self.base = "input"


class jFile(File):
    """A file's name with a button beside it, for a script that uploads."""

    def __init__(self, *lw, **kw):
        super(jFile, self).__init__(*lw, **kw)
        self.params["type"] = "text"

    def render(self, name, value):
        """See Widget."""
        html = super(jFile, self).render(name, value)
        return html + u'<a id="em"><img src="/static/images/add.png" height="15"/></a> '

"""The twin of fapws.contrib.siforms."""

import re

from observe import case, report

from fapws.contrib.siforms import forms, widgets

KINDS = [
    "Text",
    "ReadonlyText",
    "Hidden",
    "Integer",
    "Area",
    "Check",
    "Boolean",
    "Password",
    "Dropdown",
    "Foreignkey",
    "Date",
    "DateTime",
    "File",
    "jFile",
]


def html(text):
    """HTML with each tag's attributes in alphabetical order: Python 2 has them in any order."""
    return re.sub(r"<(\w+) ([^<>]*?)(/?)>", in_order, text)


def in_order(match):
    attributes = re.findall(r'([\w-]+)="([^"]*)"|([\w-]+)', match.group(2))
    shown = " ".join(sorted('%s="%s"%s' % attribute for attribute in attributes))
    return "<%s %s%s>" % (match.group(1), shown, match.group(3))


def make(kind, *arguments, **attributes):
    widget = getattr(widgets, kind)(*arguments, **attributes)
    if kind in ("Dropdown", "Foreignkey"):
        widget.options = [("-1", "---"), ("1", "one"), (2, "two")]
    return widget


@case
def rendered():
    return {
        kind: [html(make(kind, "Label").render("name", value)) for value in ("1", "", None, 0, 2)]
        for kind in KINDS
    }


@case
def rendered_with_all_there_is():
    shown = {}
    for kind in KINDS:
        widget = make(kind, u"Label", required=True, default="2", class_="nice", id="x", title="t")
        widget.label_attr["id"] = "y"
        # The second time shows what the first one has changed.
        shown[kind] = [html(widget.render("a_name 1", "")) for _ in range(2)]
    return shown


@case
def rendered_without_label():
    return [html(make(kind, "").render("name", "value")) for kind in KINDS]


@case
def attributes():
    names = ("base", "list_attrs", "params", "label", "required", "default", "label_attr")
    return {kind: {name: getattr(make(kind, "Label"), name) for name in names} for kind in KINDS}


@case
def area_of_a_size():
    return html(widgets.Area("Label", cols=3, rows=4).render("name", "a\nb"))


@case
def foreign_key_with_a_link():
    widget = make("Foreignkey", "Label")
    widget.url_other_table = "/admin/add"
    return html(widget.render("name", "1"))


@case
def ids():
    return [widgets.makeid(name) for name in (u"a b-c_1", u"caf\xe9\t", u"")]


@case
def validity():
    values = ["", None, "a", "12", 12, "1", "-1", "7"]
    dates = ["2011-01-01", "2011-01-01 10:10:10", "2011-1-1"]
    shown = {}
    for kind in KINDS:
        for required in (False, True):
            given = (["", "a"] if "Date" in kind else values) + dates
            widget = make(kind, "Label", required=required)
            shown["%s %s" % (kind, required)] = [widget.isvalid(value) for value in given]
    return shown


@case
def dates_with_unusual_separators():
    moment = widgets.DateTime("")
    return widgets.Date("").isvalid("2011-01x01"), moment.isvalid("2011-01-01x10:10:10")


@case
def escaping():
    return html(widgets.Text("<label>").render("name", "<value>"))


@case
def escaping_of_options():
    widget = widgets.Dropdown("")
    widget.options = [("<1>", "<one>")]
    return html(widget.render("name", ""))


Person = forms.FormFactory(
    "Person",
    (forms.Form,),
    {
        "name": widgets.Text("Name", required=True),
        "age": widgets.Integer("Age"),
        "_html_list": ["name", "age"],
        "_dbkey": ["age", "name"],
    },
)


@case
def form_class():
    return sorted(Person.datas), isinstance(Person, type)


@case
def form_as_it_begins():
    form = Person()
    return form.errors, form.values, form.action, form.method, form.parameters, form.submit_text


@case
def form_rendered():
    form = Person("/save", "get", class_="nice", id="x")
    before = html(form.render_form(["age", "name"]))
    form.submit([("send", "go", 'id="y"'), ("stop", "no", "")])
    form.values = {"name": "me", "age": 3}
    return before, html(form.submit_text), html(form.render_form(["name", "age"]))


@case
def form_validated():
    shown = []
    form = Person()
    for values in ({"age": "x"}, {"name": "me", "age": "3", "other": 1}, {"name": ""}):
        form.validate(values, ["name", "age"])
        shown.append((form.errors, dict(form.values), html(form.render_form(["name", "age"]))))
    return shown


@case
def form_errors():
    form = Person()
    form.errors = {"name": ["one", "two"]}
    return form.render_error("name")


@case
def form_list():
    records = [{"name": "me", "age": 3}, {"name": "you", "age": None}, {"name": "", "age": 1}]
    return html(Person().render_list(records)), Person().render_list([])


@case
def form_list_escaping():
    return html(Person().render_list([{"name": "<b>", "age": 1}]))


@case
def form_list_keys():
    return html(Person().render_list([{"name": "a/b", "age": 1}]))


@case
def form_errors_escaping():
    form = Person()
    form.errors = {"name": ["<one>"]}
    return form.render_error("name")


report()

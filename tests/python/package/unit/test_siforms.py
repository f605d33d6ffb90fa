"""fapws.contrib.siforms: the HTML of each widget, what each accepts, and what is escaped."""

import datetime
import re
from xml.etree import ElementTree

import pytest
from fapws.contrib.siforms import forms, widgets

EVIL = u"<script>\"'&\xe9"
ALL = [
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


def elements(html):
    """The elements of rendered HTML, as (tag, attributes, text), in document order."""
    tree = ElementTree.fromstring((u"<root>%s</root>" % html).encode("utf-8"))
    return [(node.tag, node.attrib, node.text) for node in tree.iter()][1:]


def rendered(widget, value, name="field"):
    """The input's element: what follows the label's."""
    return elements(widget.render(name, value))[1]


@pytest.mark.parametrize(
    "kind, attributes",
    [
        ("Text", {"type": "text"}),
        ("ReadonlyText", {"type": "text", "readonly": "1"}),
        ("Hidden", {"type": "hidden"}),
        ("Integer", {"type": "text", "size": "5"}),
        ("Password", {"type": "password"}),
        ("Date", {"type": "text"}),
        ("DateTime", {"type": "text"}),
        ("File", {"type": "file"}),
        ("jFile", {"type": "text"}),
    ],
)
def test_inputs(kind, attributes):
    widget = getattr(widgets, kind)("Label", id="x", class_="y")
    expected = dict(attributes, name="field", value="1", id="x")
    expected["class"] = "y"
    assert rendered(widget, 1) == ("input", expected, None)
    # The same again: nothing is used up by rendering.
    assert rendered(widget, 1) == ("input", expected, None)


@pytest.mark.parametrize("kind", ALL)
def test_whatever_is_rendered_is_escaped(kind):
    widget = getattr(widgets, kind)(EVIL, default=EVIL, title=EVIL)
    if hasattr(widget, "options"):
        widget.options = [(EVIL, EVIL)]
    if hasattr(widget, "url_other_table"):
        widget.url_other_table = "/add?a=1&b='\\\""
    for name, value in [("field", EVIL), (EVIL, ""), ("field", EVIL.encode("utf-8"))]:
        html = widget.render(name, value)
        assert isinstance(html, type(u""))
        label, field = elements(html)[:2]
        assert label[0] == "label" and label[2] == EVIL
        assert field[1]["name"] == name
        assert field[1]["title"] == EVIL
        assert field[1].get("value", EVIL) in (EVIL, "1")


def test_the_label():
    assert elements(widgets.Text("Label").getlabel("a b-1")) == [
        ("label", {"for": "ab1", "class": "table"}, "Label")
    ]
    required = widgets.Text("Label", required=True)
    required.label_attr["id"] = "x"
    for _ in range(2):
        assert elements(required.getlabel("a")) == [
            ("label", {"for": "a", "class": "table required", "id": "x"}, "Label")
        ]
    required.label_attr = {}
    assert elements(required.getlabel("a"))[0][1] == {"for": "a", "class": "required"}
    assert widgets.Text("").getlabel("a") == u""


def test_makeid():
    assert widgets.makeid(u"this is o\xe9k\xe9\t_1") == "thisisok1"
    assert type(widgets.makeid(u"a")) is str


def test_default_stands_for_an_empty_value():
    widget = widgets.Text("Label", default="d")
    for value, shown in [("", "d"), (None, "d"), ("v", "v")]:
        assert rendered(widget, value)[1]["value"] == shown


def test_area():
    widget = widgets.Area("Label", cols=100)
    assert elements(widget.render("field", EVIL)) == [
        ("label", {"for": "field", "class": "bellow"}, "Label"),
        ("textarea", {"name": "field", "rows": "10", "cols": "100"}, EVIL),
    ]
    assert rendered(widgets.Area("Label", rows="3"), "")[1]["rows"] == "3"


@pytest.mark.parametrize("kind", ["Check", "Boolean"])
def test_check(kind):
    widget = getattr(widgets, kind)("Label", required=True)
    plain = {"name": "field", "value": "1", "type": "checkbox"}
    for value, attributes in [("1", dict(plain, checked="checked")), ("", plain), (None, plain)]:
        assert rendered(widget, value) == ("input", attributes, None)
    assert "checked" in rendered(getattr(widgets, kind)("Label", default="1"), "")[1]
    assert widget.isvalid("") == []


def test_dropdown():
    widget = widgets.Dropdown("Label", default=2)
    assert widget.options == []
    widget.options = [(1, "one"), ("2", EVIL)]
    for value, selected in [("1", "1"), (1, "1"), ("", "2"), ("3", None)]:
        options = elements(widget.render("field", value))[2:]
        assert [option[1]["value"] for option in options] == ["1", "2"]
        assert [option[2] for option in options] == ["one", EVIL]
        marked = [option[1]["value"] for option in options if "selected" in option[1]]
        assert marked == ([selected] if selected else [])


def test_foreignkey():
    widget = widgets.Foreignkey("Label")
    widget.options = [("1", "one")]
    assert len(elements(widget.render("field", "1"))) == 3
    widget.url_other_table = "/add'\\"
    link = elements(widget.render("field", "1"))[3]
    assert link[1]["onClick"].startswith("window.open('/add%27%5C?_open=popup','mywindow',")


@pytest.mark.parametrize(
    "kind, required, good, bad",
    [
        ("Text", False, ["", None, "a"], []),
        ("Text", True, ["a", 0], ["", None]),
        ("Integer", False, ["", None, 12, "12", "-1"], ["a", "1.5"]),
        ("Integer", True, [12, "12"], ["", None, "a"]),
        ("Date", False, ["", "2011-01-01", datetime.date(2011, 1, 1)], ["2011-011-01", "2011/01"]),
        ("Date", True, ["2011-01-01"], ["", "2011-01/01", "2011x01-01", "20x1-01-01"]),
        ("DateTime", False, ["", "2011-01-01 10:10:10"], ["2011-01-01 10:10"]),
        ("DateTime", True, ["2011-01-01 10:10:10"], ["", "2011-01-01T10:10:10"]),
        ("File", True, ["a"], [""]),
    ],
)
def test_isvalid(kind, required, good, bad):
    widget = getattr(widgets, kind)("Label", required=required)
    for value in good:
        assert widget.isvalid(value) == [], value
    for value in bad:
        assert widget.isvalid(value) != [], value


def test_the_words_of_errors():
    assert widgets.Text("", required=True).isvalid("") == ["Value cannot be empty"]
    assert widgets.Integer("").isvalid("a") == ["Value is not an integer"]
    assert widgets.Date("").isvalid("a") == ["Date must have the format yyyy-mm-dd"]
    assert widgets.DateTime("").isvalid("a") == ["Date must have the format yyyy-mm-dd HH:MM:SS"]
    choice = widgets.Dropdown("", required=True)
    choice.options = [("-1", "---"), ("1", "one")]
    assert choice.isvalid("1") == choice.isvalid(1) == []
    assert choice.isvalid("2") == ["Value not in the list"]
    assert choice.isvalid("-1") == ["Not a valid value"]
    assert widgets.Dropdown("").isvalid("whatever") == []


class Person(forms.Form):
    __metaclass__ = forms.FormFactory
    name = widgets.Text("Name", required=True)
    age = widgets.Integer("Age")
    _html_list = ["name", "age"]
    _dbkey = ["age", "name"]


def test_a_form_knows_its_widgets():
    assert sorted(Person.datas) == ["age", "name"]
    assert isinstance(Person, forms.FormFactory)
    called = forms.FormFactory("Called", (forms.Form,), {"x": widgets.Text("X"), "_y": 1})
    assert list(called.datas) == ["x"]


def test_the_attributes_of_a_form_have_the_order_of_its_arguments():
    def order(**arguments):
        return ["class" if name == "class_" else name for name in arguments]

    for names in ("id class_", "class_ id", "id class_ title", "class_ enctype z y x"):
        arguments = dict.fromkeys(names.split(), "1")
        shown = forms.Form(**arguments).parameters
        assert re.findall(r' ([a-z]+)="1"', shown) == order(**arguments)


def test_a_form_is_rendered():
    form = Person(action="/a?b=1&c=2", class_="nice", id=EVIL)
    form.submit([("send", "go", 'id="x"'), (EVIL, EVIL, "")])
    html = form.render_form(["age", "name"])
    (tag, attributes, _) = elements(html)[0]
    assert tag == "form"
    assert attributes == {"action": "/a?b=1&c=2", "method": "post", "class": "nice", "id": EVIL}
    inputs = [found[1] for found in elements(html) if found[0] == "input"]
    assert [found["name"] for found in inputs] == ["age", "name", "go", EVIL]
    assert inputs[2] == {"type": "submit", "value": "send", "name": "go", "id": "x"}
    assert [found[1] for found in elements(html) if found[0] == "li"] == [{}, {}]


def test_validation_sorts_values_and_errors():
    form = Person()
    form.validate({"age": "x", "other": "1"}, ["name", "age"])
    assert form.errors == {
        "name": ["Value cannot be empty"],
        "age": ["Value is not an integer"],
    }
    assert form.values == {}
    html = form.render_form(["age"])
    assert [found[1] for found in elements(html) if found[0] == "li"] == [{"class": "error"}, {}]
    form.validate({"age": "3", "name": EVIL}, ["name", "age"])
    assert (form.errors, form.values) == ({}, {"age": "3", "name": EVIL})
    inputs = [found[1] for found in elements(form.render_form(["name"])) if found[0] == "input"]
    assert inputs[0]["value"] == EVIL


def test_errors_are_escaped():
    form = Person()
    form.errors["name"] = [EVIL]
    assert elements(form.render_error("name"))[2] == ("li", {}, EVIL)


def test_records_are_listed():
    records = [{"name": EVIL, "age": 3}, {"name": "a/b c", "age": None}]
    found = elements(Person().render_list(records))
    assert [node[2] for node in found if node[0] == "th"] == ["name", "age"]
    assert [node[1].get("class") for node in found if node[0] == "tr"][1:] == ["even", "odd"]
    assert [node[2] for node in found if node[0] == "td"] == [None, "3", None, None]
    assert [node[2] for node in found if node[0] == "a"] == [EVIL, "a/b c"]
    assert [node[1]["href"] for node in found if node[0] == "a"] == [
        "/admin/edit/Person/3/%3Cscript%3E%22%27%26%C3%A9",
        "/admin/edit/Person/None/a%2Fb%20c",
    ]
    assert [node[1] for node in found if node[0] == "td"][1] == {"class": "nowrap"}

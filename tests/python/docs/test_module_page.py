"""docs/module.md has every name of the core, each with the parameters of its docstring."""

import ast
import re

import pytest
from docs.pages import text

pytestmark = pytest.mark.each_major

PAGE = "docs/module.md"
HEADINGS = re.findall(r"^### `(\w+)(.*)`$", text(PAGE), re.M)


def test_every_name_is_there(interpreter):
    program = "[name for name in dir(__import__('fapws._evwsgi')._evwsgi) if name[:2] != '__']"
    names = ast.literal_eval(interpreter.evaluate(program))
    assert sorted(name for name, _ in HEADINGS) == sorted(names)


def test_parameters_are_those_of_the_docstring(interpreter):
    program = "dict((n, f.__doc__) for n, f in vars(__import__('fapws._evwsgi')._evwsgi).items()"
    documented = ast.literal_eval(interpreter.evaluate(program + " if n[:2] != '__')"))
    for name, parameters in HEADINGS:
        if parameters:
            first_line = documented[name].splitlines()[0].partition(" ->")[0]
            assert first_line.replace("'", '"') == name + parameters

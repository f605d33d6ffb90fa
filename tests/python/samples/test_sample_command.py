"""What surrounds the command in sample/command: each call in it is one that the command takes."""

import json
import re
import shlex

from program import SAMPLES

FOLDER = SAMPLES / "command"


def calls():
    """Each file's calls of `python -m fapws`, as lists of words."""
    for path in sorted(FOLDER.iterdir()):
        for line in path.read_text().splitlines():
            if line.startswith("CMD "):
                yield path.name, json.loads(line[4:])[3:]
            elif "-m fapws" in line and "``" not in line:
                words = line.partition("-m fapws ")[2].rstrip("`.\"'")
                yield path.name, shlex.split(words)


def test_each_call_is_one_that_the_command_takes(interpreter):
    found = dict(calls())
    assert {"hello.service", "logrotate", "Dockerfile", "hello.py"} <= set(found)
    for name, words in found.items():
        program = f"vars(__import__('fapws.options').options.parse({words!r}))"
        assert "'application': 'hello:app'" in interpreter.evaluate(program), name


def test_each_variable_is_one_that_the_command_reads(interpreter):
    names = set(re.findall(r"FAPWS_\w+", (FOLDER / "kubernetes.yaml").read_text()))
    table = "__import__('fapws.settings').settings.TABLE.values()"
    program = f"sorted(row.variable or '' for row in {table})"
    assert names and all(f"'{name}'" in interpreter.evaluate(program) for name in names)

"""No file of the core imports one that imports it, directly or round about.

A graph over the `use` lines: a module has an edge to each module that its file names. Tests at the
end of a file do not count.
"""

import re

from support import ROOT

SOURCE = ROOT / "src"


def modules():
    """Each module's name, such as `app::environ::keys`, and its file; the crate's root left out."""
    found = {}
    for path in SOURCE.rglob("*.rs"):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found["::".join(parts[:-1] if parts[-1] == "mod" else parts)] = path
    del found["lib"]
    return found


def expand(path):
    """The paths of one `use`, whose braces may nest: `a::{b, c::{d, e}}`."""
    head, brace, rest = path.partition("{")
    if not brace:
        return [path.split(" as ")[0].strip()]
    paths, depth, part = [], 0, ""
    for letter in rest[: rest.rindex("}")] + ",":
        if letter == "," and not depth:
            paths += expand(head.strip() + part.strip()) if part.strip() else []
            part = ""
        else:
            depth += {"{": 1, "}": -1}.get(letter, 0)
            part += letter
    return paths


def imports(name, path, known):
    """The modules that a module's file names."""
    text = re.sub(r"#\[cfg\(test\)\]\s*mod tests.*", "", path.read_text(), flags=re.S)
    text = re.sub(r"//.*", "", text)
    inside = name if path.name == "mod.rs" else name.rpartition("::")[0]
    named = []
    for line in re.findall(r"\buse ((?:crate|super|self)::[^;]+);", text):
        named += expand(" ".join(line.split()))
    named += re.findall(r"\bcrate::[\w:]+", text)
    used = set()
    for one in named:
        first, _, rest = one.partition("::")
        prefix = {"crate": "", "self": name, "super": inside}[first]
        if first == "super" and path.name == "mod.rs":
            prefix = name.rpartition("::")[0]
        parts = [part for part in f"{prefix}::{rest}".split("::") if part and part != "self"]
        while parts and "::".join(parts) not in known:
            parts.pop()
        used.add("::".join(parts))
    return used - {name, ""}


def circle(graph):
    """The names along a circle of `graph`, or None."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return None
        path.append(name)
        for used in sorted(graph.get(name, ())):
            found = visit(used)
            if found:
                return found
        path.pop()
        done.add(name)
        return None

    return next((found for found in map(visit, sorted(graph)) if found), None)


def test_no_file_imports_one_that_imports_it():
    known = modules()
    found = circle({name: imports(name, path, known) for name, path in known.items()})
    assert found is None, " -> ".join(found)


def test_a_circle_would_be_seen():
    paths = ["crate::a::self", "crate::a::b::c", "crate::a::b::d"]
    assert expand("crate::a::{self, b::{c, d as e}}") == paths
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None

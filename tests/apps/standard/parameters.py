"""Looks at `fapws.params` in every way that a dict can be looked at, one a request.

`/NAME` uses the way of that name on the request's own parameters, which nobody looked at before,
and on a plain dict that is equal; the response says what came of both.
"""

import collections
import copy
import gc
import json
import pickle
import sys
import threading

try:
    from collections.abc import Hashable, Mapping
except ImportError:
    from collections import Hashable, Mapping

PLAIN = [("Content-Type", "text/plain")]
OTHER = {"b": ["other"], "z": ["1"]}


def keywords(**given):
    """What was given, in order."""
    return sorted(given.items())


def update_in_place(params):
    """`other |= params`."""
    other = dict(OTHER)
    other |= params
    return other


def updated_in_place(params):
    """`params |= other`."""
    params |= OTHER
    return params


def matched(params):
    """A mapping pattern, where the grammar has them."""
    names = {"params": params}
    code = "match params:\n case {'a': [first, *_]}:\n  found = first\n case _:\n  found = None\n"
    exec(code, names)
    return names["found"]


def raised(look):
    """The exception that a look raises, as text."""
    try:
        look()
    except Exception as error:
        return "%s: %s" % (type(error).__name__, error)
    return "nothing raised"


def changed(params, change):
    """The parameters after a change."""
    change(params)
    return sorted(params.items())


def pickled_in_python(params):
    """By the pickler that is written in Python."""
    if not hasattr(pickle, "_dumps"):
        return None
    return [pickle.loads(pickle._dumps(params, protocol)) for protocol in range(3)]


def looked_at_twice(params):
    """Two threads look at the same time."""
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(dict(params))) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return seen


def looked_at_by_the_collector(params):
    """The collector runs while the parameters are made."""
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        return sorted(params.items())
    finally:
        gc.set_threshold(*threshold)


WAYS = {
    "item": lambda params: params["a"],
    "missing-item": lambda params: raised(lambda: params["no"]),
    "get": lambda params: (params.get("a"), params.get("no"), params.get("no", 1)),
    "in": lambda params: ("a" in params, "no" in params, "no" not in params),
    "len": len,
    "bool": bool,
    "iter": lambda params: list(iter(params)),
    "for": lambda params: [name + "!" for name in params],
    "list": list,
    "tuple": tuple,
    "set": lambda params: sorted(set(params)),
    "sorted": sorted,
    "star": lambda params: max(*params),
    "keys": lambda params: list(params.keys()),
    "values": lambda params: list(params.values()),
    "items": lambda params: list(params.items()),
    "dict": dict,
    "dict-and-keywords": lambda params: sorted(dict(params, c=1).items()),
    "dict-update": lambda params: changed(dict(OTHER), lambda other: other.update(params)),
    "update": lambda params: changed(params, lambda it: it.update(OTHER)),
    "set-item": lambda params: changed(params, lambda it: it.__setitem__("c", 1)),
    "del-item": lambda params: changed(params, lambda it: it.__delitem__("a")),
    "del-missing": lambda params: raised(lambda: params.__delitem__("no")),
    "setdefault": lambda params: (params.setdefault("a", 1), params.setdefault("c", 1)),
    "pop": lambda params: (params.pop("a"), sorted(params)),
    "popitem": lambda params: (params.popitem(), len(params)),
    "clear": lambda params: changed(params, lambda it: it.clear()),
    "keywords": lambda params: keywords(**params),
    "more-keywords": lambda params: keywords(c=1, **params),
    "equal": lambda params: (params == {"a": ["1", "2"], "b": ["x"]}, params == OTHER),
    "equal-from-the-left": lambda params: {"a": ["1", "2"], "b": ["x"]} == params,
    "unequal": lambda params: (params != OTHER, OTHER != params),
    "less": lambda params: raised(lambda: params < OTHER).startswith("TypeError"),
    "is-in-a-list": lambda params: params in [1, {"a": ["1", "2"], "b": ["x"]}],
    "repr": repr,
    "str": str,
    "format": lambda params: "{0}".format(params),
    "format-map": lambda params: "{a} {b}".format(**params),
    "percent": lambda params: "%(a)s %(b)s" % params,
    "hash": lambda params: raised(lambda: hash(params)).startswith("TypeError: unhashable"),
    "json": lambda params: json.dumps(params, sort_keys=True),
    "json-unsorted": json.dumps,
    "json-nested": lambda params: json.dumps([{"params": params}]),
    "json-in-python": lambda params: json.dumps(params, indent=1),
    "copy": lambda params: params.copy(),
    "copy-copy": copy.copy,
    "copy-deepcopy": copy.deepcopy,
    "pickle": lambda params: [
        pickle.loads(pickle.dumps(params, protocol)) for protocol in range(3)
    ],
    "pickle-nested": lambda params: pickle.loads(pickle.dumps([params], pickle.HIGHEST_PROTOCOL)),
    "pickle-in-python": pickled_in_python,
    "class": lambda params: params.__class__,
    "isinstance": lambda params: (isinstance(params, dict), issubclass(type(params), dict)),
    "mapping": lambda params: isinstance(params, Mapping),
    "hashable": lambda params: isinstance(params, Hashable),
    "ordered-dict": lambda params: sorted(collections.OrderedDict(params)),
    "counter": lambda params: sorted(collections.Counter(list(params))),
    "fromkeys": lambda params: sorted(dict.fromkeys(params)),
    "zip": lambda params: list(zip(params, params)),
    "dir": lambda params: "items" in dir(params),
    "attribute": lambda params: raised(lambda: params.no),
    "set-attribute": lambda params: raised(lambda: setattr(params, "no", 1)),
    "two-threads": looked_at_twice,
    "collector": looked_at_by_the_collector,
    "keeps-identity": lambda params: params["a"] is params["a"],
    "union": lambda params: params | OTHER,
    "union-from-the-left": lambda params: OTHER | params,
    "union-with-itself": lambda params: params | params,
    "union-in-place": update_in_place,
    "union-into-it": updated_in_place,
    "display": lambda params: eval("{**params, 'c': 1}", {"params": params}),
    "reversed": lambda params: list(reversed(params)),
    "match": matched,
}


if sys.version_info < (3,):
    for _name in ("display", "reversed"):
        del WAYS[_name]
if sys.version_info < (3, 9):
    for _name in [name for name in WAYS if name.startswith("union")]:
        del WAYS[_name]
if sys.version_info < (3, 10):
    del WAYS["match"]


def application(environ, start_response):
    """Uses the way that the path names."""
    name = environ["PATH_INFO"].strip("/")
    plain = {"a": ["1", "2"], "b": ["x"]}
    params = environ["fapws.params"]
    lines = ["unknown" if name not in WAYS else "ok"]
    if name == "ways":
        lines = sorted(WAYS)
    elif name == "body":
        # Read before and after somebody looks.
        before = environ["wsgi.input"].read()
        lines = [repr(sorted(params.items())), repr(before == environ["wsgi.input"].getvalue())]
    elif name == "large":
        lines = [str(len(params)), str(sum(map(len, params.values())))]
    elif name == "type":
        before = type(params).__name__
        len(params)
        lines = [before, type(params).__name__]
    elif name in ("looked-at", "left-alone"):
        # The request's objects go with it: its class and its source are counted.
        lines = [str(sys.getrefcount(type(params)))]
        if name == "looked-at":
            len(params)
    elif name in WAYS:
        way = WAYS[name]
        got, wanted = way(params), way(plain)
        bool(params)
        if got != wanted or type(got) is not type(wanted) or type(params) is not dict:
            lines = ["%r, not %r; %s" % (got, wanted, type(params))]
    start_response("200 OK", PLAIN)
    return ["\n".join(lines).encode("ascii")]


def register(evwsgi, base):
    """Serves everything."""
    evwsgi.wsgi_cb(("/", application))

"""The reason phrases of the core are those that Python has, and thus those of the registry."""

import http
import re

from support import ROOT

#: RFC 9110 renamed these; Python has the new names from 3.13 on.
RENAMED = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}

#: Registered as unused, and as obsoleted.
ABSENT = {418, 510}


def test_they_are_the_registered_ones():
    source = (ROOT / "src/http/error.rs").read_text()
    ours = {int(code): phrase for code, phrase in re.findall(r'(\d{3}) => "(.*)",', source)}
    registered = {each.value: RENAMED.get(each.value, each.phrase) for each in http.HTTPStatus}
    assert ours == {code: registered[code] for code in registered if code not in ABSENT}

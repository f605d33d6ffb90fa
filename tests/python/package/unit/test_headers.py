"""fapws.contrib.headers."""

import pytest
from fapws import base
from fapws.contrib.headers import redirect


@pytest.mark.parametrize(
    "permanent, status", [(None, "302"), (False, "302"), (True, "301"), (1, "301")]
)
def test_redirect(permanent, status):
    start_response = base.Start_response()
    assert redirect(start_response, "/there?a=b", permanent) == []
    assert start_response.status_code == status
    assert start_response.response_headers == {
        "location": "/there?a=b",
        "Content-Type": "text/plain",
    }


def test_a_location_cannot_split_the_head():
    with pytest.raises(ValueError):
        redirect(base.Start_response(), "/there\r\nSet-Cookie: a=b")

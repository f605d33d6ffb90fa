"""`fapws.contrib.stats`: the counters as a page and as text."""

import re
import sys

import pytest
from command import write
from support import ROOT

sys.path.append(str(ROOT / "tests" / "python" / "samples"))
import browser

pytestmark = pytest.mark.wire

COUNTED = """
    from fapws.contrib.stats import Stats

    def shop(environ, start_response):
        status = environ["PATH_INFO"].strip("/")
        start_response((status if status.isdigit() else "200") + " Said", [])
        return [b"here"]

    app = Stats(period=3).mounted(shop)
"""


@pytest.fixture
def counted(run_command, home):
    """A server with the page at /-/stats."""
    write(home, counted=COUNTED)
    return run_command("counted:app")


def values(counted):
    """The numbers of Prometheus's text."""
    answer = counted.get("/-/stats/metrics")
    assert answer.header("Content-Type").startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.body.decode().splitlines() if not line.startswith("#")]
    found = (line.rsplit(" ", 1) for line in lines)
    return {name.removeprefix("fapws_"): float(value) for name, value in found}


def test_answers_are_counted_by_the_class_of_their_status(counted):
    before = values(counted)
    for status, times in [(200, 3), (302, 2), (404, 4), (503, 1)]:
        for _ in range(times):
            counted.get(f"/{status}")
    assert counted.request(b"GET / HTTP/1.1\r\n\r\n").status == 400
    after = values(counted)
    grown = {name: after[name] - before[name] for name in after}
    # Each look at the numbers is an answer too, counted when it is given.
    assert grown["responses_2xx_total"] == 3 + 1
    assert grown["responses_3xx_total"] == 2
    assert grown["responses_4xx_total"] == 4 + 1
    assert grown["responses_5xx_total"] == 1
    assert grown["rejected_total"] == 1
    assert grown["requests_total"] == 10 + 1
    assert grown["accepted_total"] == 11 + 1
    assert grown["bytes_in_total"] > 0 and grown["bytes_out_total"] > 0
    assert grown["timeouts_total"] == 0
    # The server may not have seen the end of the one before.
    assert after["connections"] in (1, 2)


def test_every_counter_has_a_type_and_a_meaning(counted):
    text = counted.get("/-/stats?format=prometheus").body.decode()
    assert "untyped" not in text
    names = re.findall(r"^(fapws_\w+)[{ ]", re.sub(r"_(bucket|sum|count)\b", "", text), re.M)
    assert len(set(names)) >= 12
    for name in names:
        assert f"# HELP {name} " in text and f"# TYPE {name} " in text


def test_pipelined_answers_are_counted_each(counted):
    before = values(counted)
    requests = [b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % code for code in (200, 404, 404)]
    with counted.connect() as client:
        client.send(b"".join(requests))
        for status in (200, 404, 404):
            assert client.response().status == status
    assert values(counted)["responses_4xx_total"] - before["responses_4xx_total"] == 2


def test_the_page_in_a_browser(counted):
    host, port = counted.address
    page = browser.document(f"http://{host}:{port}/-/stats")
    assert 'http-equiv="refresh" content="3"' in page
    assert re.search(r"<th>requests<small>.*?</small></th><td>\d+</td>", page)


def test_the_rest_is_the_applications(counted):
    assert counted.get("/-/statsx").body == b"here"
    assert counted.get("/").body == b"here"

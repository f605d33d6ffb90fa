"""The environ besides the fields: length, address, raw target. And odd statuses."""

import json

import pytest
from standard.message import chunks, post, post_chunked, request, respond


def values_of(answer):
    assert answer.status == 200, answer
    return {key: value for key, (_, value) in json.loads(answer.body)["values"].items()}


@pytest.mark.parametrize("size", [0, 1, 1000, 100_000])
def test_a_chunked_body_has_its_decoded_length(probe, size):
    """RFC 9112 section 7.1.3: the coding is gone when the body is decoded, the length is set."""
    encoded = chunks(b"x" * size, 700)
    values = values_of(probe.request(post_chunked("/environ", encoded)))
    assert values["CONTENT_LENGTH"] == str(size)
    assert "HTTP_TRANSFER_ENCODING" not in values


def test_fields_of_the_connection_are_not_handed_on(probe):
    headers = [
        ("Connection", "close, X-Hop"),
        ("Keep-Alive", "timeout=5"),
        ("TE", "trailers"),
        ("Expect", "100-continue"),
        ("X-Hop", "1"),
        ("X-End", "1"),
    ]
    with probe.connect() as client:
        client.send(post("/environ", b"x", headers))
        values = values_of(client.response())
    gone = ("CONNECTION", "KEEP_ALIVE", "TE", "EXPECT", "X_HOP")
    assert not {f"HTTP_{name}" for name in gone} & set(values)
    assert values["HTTP_X_END"] == "1"


def test_connection_takes_nothing_away_that_a_proxy_says(probe):
    """A client could hide behind a proxy that hands `Connection` on."""
    kept = ["Host", "Cookie", "Authorization", "X-Forwarded-For", "Forwarded", "X-Real-IP"]
    headers = [(name, "10.0.0.1") for name in kept[1:]]
    headers.append(("Connection", ", ".join(kept)))
    values = values_of(probe.request(request("/environ", headers=headers)))
    for name in kept:
        assert "HTTP_" + name.upper().replace("-", "_") in values, name


@pytest.mark.parametrize(
    "target", ["/environ", "/environ/%7Ea+b?c=%20", "/environ?", "http://host:1/environ?a=b"]
)
def test_the_raw_target(probe, target):
    with probe.connect() as client:
        # The second time the head is in the cache.
        for _ in range(3):
            client.send(request(target))
            values = values_of(client.response())
            assert values["REQUEST_URI"] == values["RAW_URI"] == target


def test_the_software_is_named(probe, serve_probe):
    answer = probe.request(request("/environ"))
    assert values_of(answer)["SERVER_SOFTWARE"] == answer.header("Server")
    nameless = serve_probe("probe.py", config={"SERVER_IDENT": ""})
    assert values_of(nameless.request(request("/environ")))["SERVER_SOFTWARE"]


def test_a_unix_socket_makes_a_url(serve_probe, tmp_path):
    probe = serve_probe("probe.py", host=str(tmp_path / "socket"), port="unix")
    values = values_of(probe.request(request("/environ")))
    assert (values["SERVER_NAME"], values["SERVER_PORT"]) == ("localhost", "80")


def test_an_ipv6_address_stands_in_brackets(serve_probe):
    probe = serve_probe("probe.py", host="::1")
    assert values_of(probe.request(request("/environ")))["SERVER_NAME"] == "[::1]"


@pytest.mark.parametrize(
    "status, line",
    [
        ("204", "HTTP/1.1 204 No Content"),
        ("404", "HTTP/1.1 404 Not Found"),
        ("299", "HTTP/1.1 299 "),
        ("200 ", "HTTP/1.1 200 "),
    ],
)
def test_a_status_without_a_reason(probe, status, line):
    answer = probe.request(request(respond(status=status, items=[])))
    assert answer.head.decode().splitlines()[0] == line


def test_options_of_the_server_reach_the_application_for_everything(probe, serve_probe):
    """One registered under `/`, or as the generic callback."""
    assert probe.request(request("*", "OPTIONS")).status == 404  # the probe's own
    generic = serve_probe("generic.py")
    seen = json.loads(generic.request(request("*", "OPTIONS")).body)
    assert (seen["application"], seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("generic", "", "*")


def test_options_of_a_server_without_one_list_what_is_served(serve_probe):
    answer = serve_probe("prefixes.py").request(request("*", "OPTIONS"))
    assert answer.status == 200
    allowed = answer.header("Allow").split(", ")
    assert {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} <= set(allowed)

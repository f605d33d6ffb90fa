"""`fapws.contrib.proxyfix`: whose word counts, and what is made of it."""

import json

import pytest
from command import write

pytestmark = pytest.mark.each_major

#: Each application trusts somebody else; all of them tell what they see.
PROXIED = """
    import json
    from fapws.contrib.proxyfix import ProxyFix

    KEYS = ["REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST"]

    def see(environ, start_response):
        start_response("200 OK", [])
        return [json.dumps([environ[key] for key in KEYS]).encode("ascii")]

    FIXED = {
        "/local": ProxyFix(see, host=True),
        "/chain": ProxyFix(see, trusted=["127.0.0.1", "10.0.0.0/8", "fd00::/8"]),
        "/stranger": ProxyFix(see, trusted=["192.0.2.1"], host=True),
        "/nobody": ProxyFix(see, trusted=[]),
        "/unix": ProxyFix(see, trusted=["unix"]),
        "/forwarded": ProxyFix(see, forwarded=True, host=True, trusted=["127.0.0.1", "10.0.0.0/8"]),
    }

    def app(environ, start_response):
        return FIXED.get(environ["PATH_INFO"], see)(environ, start_response)
"""

UNTOUCHED = ["127.0.0.1", "http", "test"]


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("proxied"), proxied=PROXIED)


@pytest.fixture
def see(run_command, module_folder):
    """`see("/local", "X-Forwarded-For: 1.2.3.4")`: what the application sees."""
    # The core itself believes nobody here.
    options = ["--bind", f"unix:{module_folder}/x", "--forwarded-allow-ips", "192.0.2.99"]
    command = run_command("proxied:app", *options, home=module_folder)

    def see(path, *headers, unix=False):
        tcp = command.address
        command.address = str(module_folder / "x") if unix else tcp
        answer = command.get(path, *headers)
        command.address = tcp
        return json.loads(answer.body)

    return see


def test_x_forwarded(see):
    def address(path, value):
        address, scheme, host = see(path, f"X-Forwarded-For: {value}")
        assert (scheme, host) == ("http", "test")
        return address

    assert address("/local", "198.51.100.7") == "198.51.100.7"
    # Only the right-most hop was written by somebody who is trusted.
    assert address("/local", "6.6.6.6, 198.51.100.7") == "198.51.100.7"
    assert address("/chain", "6.6.6.6, 198.51.100.7, 10.1.2.3, 10.9.9.9") == "198.51.100.7"
    assert address("/chain", "6.6.6.6, 2001:db8::1, fd00::5") == "2001:db8::1"
    # An IPv4 hop may be written as IPv6.
    assert address("/chain", "198.51.100.7, ::ffff:10.0.0.1") == "198.51.100.7"
    # With trusted hops only, the farthest is the client.
    assert address("/chain", "10.0.0.1, 10.0.0.2") == "10.0.0.1"
    assert address("/local", "198.51.100.7:4711") == "198.51.100.7"
    assert address("/local", "[2001:db8::1]:4711") == "2001:db8::1"
    # What cannot be read ends the trust there.
    for malformed in ["unknown", "", "1.2.3", "6.6.6.6, 256.1.1.1", "<script>", "1.2.3.4 5", ","]:
        assert address("/local", malformed) == "127.0.0.1", malformed
    assert address("/chain", "6.6.6.6, unknown, 10.0.0.1") == "10.0.0.1"
    for path in ["/stranger", "/nobody", "/unix", "/"]:
        assert address(path, "198.51.100.7") == "127.0.0.1", path


def test_the_scheme_and_the_host(see):
    assert see("/local", "X-Forwarded-Proto: https") == ["127.0.0.1", "https", "test"]
    assert see("/local", "X-Forwarded-Proto: HTTPS")[1] == "https"
    assert see("/local", "X-Forwarded-Proto: ftp")[1] == "http"
    assert see("/local", "X-Forwarded-Proto: https, http")[1] == "http"
    full = ["X-Forwarded-For: 6.6.6.6, 198.51.100.7", "X-Forwarded-Proto: https"]
    assert see("/local", *full) == ["198.51.100.7", "https", "test"]
    assert see("/local", "X-Forwarded-Host: shop.example:8443")[2] == "shop.example:8443"
    assert see("/local", "X-Forwarded-Host: [2001:db8::1]")[2] == "[2001:db8::1]"
    for malformed in ["a/b", "a b", "<a>", "a:b", "a@b", "a:999999"]:
        assert see("/local", f"X-Forwarded-Host: {malformed}")[2] == "test", malformed
    # The option is off.
    assert see("/chain", "X-Forwarded-Host: shop.example")[2] == "test"
    assert see("/stranger", "X-Forwarded-Host: a", "X-Forwarded-Proto: https") == UNTOUCHED


def test_a_unix_socket_has_to_be_trusted(see):
    headers = ["X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https"]
    assert see("/unix", *headers, unix=True) == ["198.51.100.7", "https", "test"]
    assert see("/chain", *headers, unix=True) == ["", "http", "test"]


def test_forwarded(see):
    def fixed(value):
        return see("/forwarded", f"Forwarded: {value}")

    assert fixed("for=198.51.100.7;proto=https;host=a.example") == [
        "198.51.100.7", "https", "a.example"
    ]
    assert fixed('For="[2001:db8::1]:4711"; Proto=HTTPS')[:2] == ["2001:db8::1", "https"]
    assert fixed('for=6.6.6.6, for="198.51.100.7:80", for=10.0.0.1')[0] == "198.51.100.7"
    assert fixed('for="a,b;c=\\"d", for=198.51.100.7')[0] == "198.51.100.7"
    # A hidden hop is a client without an address; what is behind it is not believed.
    assert fixed("for=6.6.6.6, for=_hidden;proto=https") == ["127.0.0.1", "https", "test"]
    assert fixed("for=6.6.6.6, for=unknown") == UNTOUCHED
    for malformed in ['for="6.6.6.6', "for", "=1", "for=6.6.6.6;for=7.7.7.7", "for=1.2.3.4 x", ";"]:
        assert fixed(malformed) == UNTOUCHED, malformed
    # The other kind is the client's own word.
    assert see("/forwarded", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https") == UNTOUCHED


@pytest.mark.parametrize("network", ["10.0.0.0/33", "10.0.0/8", "proxy.example", "10.0.0.0/x", ""])
def test_a_network_that_cannot_be(call, home, network):
    write(home, wrong=f"""
        from fapws.contrib.proxyfix import ProxyFix
        app = ProxyFix(None, trusted=[{network!r}])
    """)
    assert "ValueError" in call("--check", "wrong:app").check(2).stderr

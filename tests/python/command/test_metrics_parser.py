"""The numbers of `contrib.stats` as Prometheus itself reads them."""

import json
import os
import shutil
import subprocess

import pytest
from command import write

pytestmark = pytest.mark.each_major

COUNTED = """
    from fapws.contrib.stats import Stats

    def shop(environ, start_response):
        status = environ["PATH_INFO"].strip("/")
        start_response((status if status.isdigit() else "200") + " Said", [])
        return [b"here"]

    app = Stats().mounted(shop)
"""

#: Prints {name: [kind, number of samples]} of what stands on stdin.
PARSE = """
import json, sys
from prometheus_client.parser import text_string_to_metric_families as parse

families = list(parse(sys.stdin.read()))
for family in families:
    assert family.documentation, family
assert len({family.name for family in families}) == len(families)
print(json.dumps({
    family.name: [family.type, [[s.name, s.labels, s.value] for s in family.samples]]
    for family in families
}))
"""


@pytest.fixture(params=[1, 2])
def text(request, run_command, home):
    """What a server of one worker, or two, says after some requests."""
    write(home, counted=COUNTED)
    command = run_command("counted:app", "--workers", request.param)
    command.wait_for_workers(request.param)
    for status in (200, 302, 404, 503):
        command.get(f"/{status}")
    return command.get("/-/stats/metrics").body.decode()


def test_prometheus_client(python3, text):
    env = dict(os.environ, PYTHONPATH=str(python3.library("prometheus_client==0.23.1")))
    parsed = subprocess.run(
        [python3.python, "-c", PARSE], input=text, env=env, capture_output=True, text=True,
        check=False,
    )
    assert parsed.returncode == 0, parsed.stderr
    families = json.loads(parsed.stdout)
    kinds = {name: kind for name, (kind, _) in families.items()}
    assert kinds["fapws_requests"] == "counter" and kinds["fapws_connections"] == "gauge"
    assert "unknown" not in kinds.values()
    kind, samples = families["fapws_call_seconds"]
    assert kind == "histogram"
    buckets = [(s[1]["le"], s[2]) for s in samples if s[0] == "fapws_call_seconds_bucket"]
    assert [value for _, value in buckets] == sorted(value for _, value in buckets)
    (count,) = [s[2] for s in samples if s[0] == "fapws_call_seconds_count"]
    assert buckets[-1] == ("+Inf", count) and count >= 4
    assert families["fapws_wait_seconds"][1][0][2] > 0
    per_worker = families["fapws_worker_requests"][1]
    assert sum(s[2] for s in per_worker) == families["fapws_requests"][1][0][2]


def test_promtool(text):
    promtool = shutil.which(os.environ.get("PROMTOOL", "promtool"))
    if not promtool:
        pytest.skip("no promtool on this machine: only prometheus_client reads the numbers")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")

"""What one run found, and the medians that reports and targets are made from."""

from dataclasses import asdict, dataclass, field
from statistics import median


@dataclass
class Results:
    """Everything measured, by (scenario, server) or by server; names, not objects."""

    samples: dict = field(default_factory=dict)
    peaks: dict = field(default_factory=dict)
    #: Why a server was not measured in a scenario.
    refused: dict = field(default_factory=dict)
    missing: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)
    streams: dict = field(default_factory=dict)
    idle: dict = field(default_factory=dict)
    resident: dict = field(default_factory=dict)
    imports: dict = field(default_factory=dict)
    cliffs: dict = field(default_factory=dict)

    def value(self, scenario, server, name):
        """The median over the rounds of one of `Sample`'s numbers; None where nothing was."""
        samples = self.samples.get((scenario, server))
        return median(getattr(each, name) for each in samples) if samples else None

    def ratio(self, scenario, server, reference, name="cpu_us"):
        """One server's number as a multiple of another's; None where one of them is missing.

        The median of each round's own ratio: what a busy machine adds lasts longer than a round, so
        it meets both servers of most rounds, but not the same share of all their rounds.
        """
        ours = self.samples.get((scenario, server))
        theirs = self.samples.get((scenario, reference))
        if not ours or not theirs:
            return None
        return median(getattr(a, name) / getattr(b, name) for a, b in zip(ours, theirs))

    def errors(self, scenario, server):
        """Errors that wrk saw, all rounds together."""
        return sum(each.errors for each in self.samples.get((scenario, server), ()))

    def measured(self, scenario):
        """Names of the servers that were measured in the scenario, cheapest first."""
        names = [server for (name, server) in self.samples if name == scenario]
        return sorted(names, key=lambda each: self.value(scenario, each, "cpu_us"))

    def disturbed(self):
        """The median share of the server's core that others used."""
        shares = [each.disturbed for samples in self.samples.values() for each in samples]
        return median(shares) if shares else 0.0

    def as_json(self):
        """Everything, for a file: samples and medians by scenario and server."""
        scenarios = {}
        for (scenario, server), samples in self.samples.items():
            scenarios.setdefault(scenario, {})[server] = {
                "median": {
                    name: self.value(scenario, server, name)
                    for name in ("rate", "cpu_us", "user_us", "system_us", "p50_us", "p99_us")
                },
                "errors": self.errors(scenario, server),
                "peak_kib": self.peaks.get((scenario, server)),
                "rounds": [asdict(each) for each in samples],
            }
        for (scenario, server), reason in self.refused.items():
            scenarios.setdefault(scenario, {})[server] = {"refused": reason}
        return {
            "versions": self.versions,
            "missing": self.missing,
            "scenarios": scenarios,
            "sends_each_chunk": self.streams,
            "idle": {name: asdict(each) for name, each in self.idle.items()},
            "resident_mb": self.resident,
            "import_ms": self.imports,
            "cliffs": {
                name: {probe: asdict(waits) for probe, waits in probes.items()}
                for name, probes in self.cliffs.items()
            },
        }

"""What one run found, and the medians that reports and targets are made of."""

from dataclasses import asdict, dataclass, field
from statistics import median

#: What of a `Sample` is kept as a median.
NUMBERS = ("rate", "cpu_us", "user_us", "system_us", "p50_us", "p99_us", "beside")


@dataclass
class Results:
    """Everything measured, by (scenario, server) or by server; names, not objects."""

    samples: dict = field(default_factory=dict)
    peaks: dict = field(default_factory=dict)
    #: Why a server was not measured in a scenario.
    rejected: dict = field(default_factory=dict)
    missing: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)
    streams: dict = field(default_factory=dict)
    idle: dict = field(default_factory=dict)
    #: `Weight` by server.
    weights: dict = field(default_factory=dict)
    #: Milliseconds from start to first response, one a round.
    starts: dict = field(default_factory=dict)
    imports: dict = field(default_factory=dict)
    cliffs: dict = field(default_factory=dict)

    def value(self, scenario, server, name):
        """The median over the rounds of one of `Sample`'s numbers; None where nothing was."""
        samples = self.samples.get((scenario, server))
        return median(getattr(each, name) for each in samples) if samples else None

    def ratio(self, scenario, server, reference, name="cpu_us", other=None):
        """One server's number as a multiple of another's; None where one of them is missing.

        The reference is measured in the same scenario, or in the `other` one.

        The median of each round's own ratio: what a busy machine adds lasts longer than a round, so
        it meets both servers of most rounds, but not the same share of all their rounds.
        """
        ours = self.samples.get((scenario, server))
        theirs = self.samples.get((other or scenario, reference))
        if not ours or not theirs:
            return None
        return median(getattr(a, name) / max(getattr(b, name), 1e-9) for a, b in zip(ours, theirs))

    def best(self, scenario, among, name="cpu_us"):
        """Who of these servers has the least of a number; None where none was measured."""
        there = [each for each in among if self.samples.get((scenario, each))]
        return min(there, key=lambda each: self.value(scenario, each, name), default=None)

    def start_ms(self, server):
        """The median from start to first response; None where it was not measured."""
        return median(self.starts[server]) if self.starts.get(server) else None

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
                "median": {name: self.value(scenario, server, name) for name in NUMBERS},
                "errors": self.errors(scenario, server),
                "peak_kib": self.peaks.get((scenario, server)),
                "rounds": [asdict(each) for each in samples],
            }
        for (scenario, server), reason in self.rejected.items():
            scenarios.setdefault(scenario, {})[server] = {"rejected": reason}
        return {
            "versions": self.versions,
            "missing": self.missing,
            "scenarios": scenarios,
            "sends_each_chunk": self.streams,
            "idle": {name: asdict(each) for name, each in self.idle.items()},
            "weight_mb": {name: asdict(each) for name, each in self.weights.items()},
            "start_ms": self.starts,
            "import_ms": self.imports,
            "cliffs": {
                name: {probe: asdict(waits) for probe, waits in probes.items()}
                for name, probes in self.cliffs.items()
            },
        }

"""Where Ceilometer's pipelines send what they measure (ceilometer/pipeline/, publisher/).

>>> publishers_of("sinks:\\n  - name: meter_sink\\n    publishers:\\n        - gnocchi://?archive_policy=low\\n  # - udp://x\\n")
(('gnocchi', '- gnocchi://?archive_policy=low'),)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.facts.answers import output
from stackdoctor.facts.table import excerpt
from stackdoctor.model import Evidence, NodeResults, Probe, Status

__all__ = ["Pipelines", "Publisher", "publishers_of"]

PIPELINES = Probe(
    "ceilometer.pipelines",
    files=(
        "/etc/ceilometer/pipeline.yaml",
        "/etc/ceilometer/event_pipeline.yaml",
        "/var/lib/config-data/puppet-generated/ceilometer/etc/ceilometer/pipeline.yaml",
        "/etc/kolla/ceilometer-notification/pipeline.yaml",
        "/etc/kolla/ceilometer-notification/event_pipeline.yaml",
    ),
    root=True,
    cap=256 * 1024,
)

_PUBLISHER = re.compile(r"-\s{1,9}[\"']?([a-z][a-z0-9+]{1,30})://")


@dataclass(frozen=True)
class Publisher:
    """One line under ``publishers:``; ``scheme`` is gnocchi, notifier, udp, file, http, direct, panko ..."""

    scheme: str
    evidence: Evidence

    def __str__(self) -> str:
        return self.scheme


@dataclass(frozen=True)
class Pipelines:
    """The publishers of a node's pipelines, where they are given by files; Ceilometer's own are not listed."""

    publishers: tuple[Publisher, ...]

    probes: ClassVar[tuple[Probe, ...]] = (PIPELINES,)

    @classmethod
    def parse(cls, results: NodeResults) -> Pipelines:
        """The publishers; raises NotApplicable on a node without pipelines, CouldNotCheck."""
        results.usable(PIPELINES)
        found = []
        for result in results.every(PIPELINES):
            if result.status is not Status.MISSING:
                for scheme, line in publishers_of(output(result)):
                    found.append(Publisher(scheme, results.evidence(result, line)))
        return cls(tuple(found))

    def of(self, scheme: str) -> Publisher | None:
        """The first publisher of ``scheme``."""
        return next((publisher for publisher in self.publishers if publisher.scheme == scheme), None)


def publishers_of(text: str) -> tuple[tuple[str, str], ...]:
    """Scheme and line of each publisher in a pipeline file, outside of comments."""
    found = []
    for line in text.split("\n"):
        bare = line.strip()
        if match := _PUBLISHER.match(bare):
            found.append((match[1], excerpt(bare)))
    return tuple(found)

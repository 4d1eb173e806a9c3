"""The URLs that Heat hands out to guests (heat/common/config.py: engine_opts)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.facts.oslo_config import Option, Options, read_options
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["HeatConfig"]

CONFIG = Probe(
    "heat.config",
    files=(
        "/etc/heat/heat.conf",
        "/var/lib/config-data/puppet-generated/heat/etc/heat/heat.conf",
        "/etc/kolla/heat-engine/heat.conf",
    ),
    root=True,
    settings=True,
    cap=2 * 1024 * 1024,
)

URLS = ("heat_metadata_server_url", "heat_waitcondition_server_url")
_LOOPBACK = re.compile(r"https?://(?:127\.|localhost[:/]|\[::1\])")


@dataclass(frozen=True)
class HeatConfig:
    """heat.conf; the URLs come from Keystone's catalog where they are not set (since Liberty)."""

    options: Options
    evidence: Evidence

    probes: ClassVar[tuple[Probe, ...]] = (CONFIG,)

    @classmethod
    def parse(cls, results: NodeResults) -> HeatConfig:
        """The configuration; raises NotApplicable on a node without Heat, CouldNotCheck."""
        options = read_options(results, CONFIG)
        return cls(options, options.evidence)

    @property
    def loopback(self) -> tuple[Option, ...]:
        """The URLs for guests that lead nowhere from within a guest."""
        set_ = (self.options.option("DEFAULT", name) for name in URLS)
        return tuple(option for option in set_ if option is not None and _LOOPBACK.match(option.value))

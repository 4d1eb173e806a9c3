"""The policies of a RabbitMQ broker, which give queues copies and let messages and queues expire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.facts import answers
from stackdoctor.facts.rabbitmq_queues import vhosts
from stackdoctor.facts.rabbitmq_status import STATUS, BrokerStatus, refuse_without_broker
from stackdoctor.facts.rabbitmq_text import RABBITMQCTL, RABBITMQCTL_ENV, body
from stackdoctor.facts.table import tabbed
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["Policies", "Policy"]

# rabbit_control_main.erl (to 3.6) calls the kind of objects "apply-to" too, and prints no header
_COLUMNS = ("vhost", "name", "pattern", "apply-to", "definition", "priority")


@dataclass(frozen=True)
class Policy:
    """One policy: ``pattern`` is a regular expression on names, ``definition`` what it sets (message-ttl ...)."""

    vhost: str
    name: str
    pattern: str
    definition: Mapping[str, object]
    evidence: Evidence

    def __str__(self) -> str:
        return self.name

    def milliseconds(self, key: str) -> int | None:
        """The duration under ``key``; None if it is not set."""
        value = self.definition.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass(frozen=True)
class Policies:
    """All policies, as ``rabbitmqctl -q list_policies -p VHOST`` (3.10) shows them::

    vhost	name	pattern	apply-to	definition	priority
    /	ha-all	^(?!(amq\\.)|(.*_fanout_)|(reply_)).*	all	{"ha-mode":"all"}	0
    """

    probes: ClassVar[tuple[Probe, ...]] = (
        Probe(
            "rabbitmq.policies",
            (*RABBITMQCTL, "list_policies", "-p", "{each}"),
            each=vhosts,
            root=True,
            container="rabbitmq",
            timeout=30.0,
            env=RABBITMQCTL_ENV,
            after=STATUS.id,
        ),
        *BrokerStatus.probes,
    )

    rows: tuple[Policy, ...]

    def __iter__(self) -> Iterator[Policy]:
        return iter(self.rows)

    def get(self, vhost: str, name: str) -> Policy | None:
        """The policy called ``name`` in ``vhost``."""
        return next((p for p in self.rows if (p.vhost, p.name) == (vhost, name)), None)

    @classmethod
    def parse(cls, results: NodeResults) -> Policies:
        """The policies of every virtual host.  Raises CouldNotCheck, ParseError or NotApplicable."""
        refuse_without_broker(results)
        rows = []
        for result in results.usable(cls.probes[0]):
            for row, line in tabbed(body(result), _COLUMNS):
                # without a header the pattern may be either of two columns: the other is one of a few words
                kind = row["apply-to"] in ("all", "queues", "exchanges", "classic_queues", "quorum_queues", "streams")
                definition = answers.json_value(row["definition"])
                rows.append(
                    Policy(
                        row["vhost"],
                        row["name"],
                        row["pattern"] if kind else row["apply-to"],
                        definition if isinstance(definition, dict) else {},
                        results.evidence(result, line),
                    )
                )
        return cls(tuple(rows))

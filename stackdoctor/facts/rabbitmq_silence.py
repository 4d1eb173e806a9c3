"""Whether rabbitmqctl waited in vain for a broker whose process is there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.rabbitmq_status import STATUS
from stackdoctor.facts.table import excerpt
from stackdoctor.model import Evidence, NodeResults, Probe, Status

__all__ = ["BrokerSilence"]

PATIENCE = 6.0
"""Seconds: Erlang gives a node 7 to greet (net_setuptime in kernel(6)); a wrong cookie is refused at once."""

_UNGREETED = re.compile(r"TCP connection succeeded but Erlang distribution failed")
_REJECTED = re.compile(r"rejected by the remote node|hostname mismatch|eacces|permission denied", re.IGNORECASE)
_OPERATION = re.compile(r"Error: operation \S+ on node \S+ timed out|\{badrpc,\s*timeout\}|Timeout value used: ")


@dataclass(frozen=True)
class BrokerSilence:
    """How long ``rabbitmqctl status`` waited, and whether in vain (``silent``).

    A process that is stopped, or whose schedulers hang, still has its port open: the kernel takes the connection
    and nobody greets.  rabbitmqctl 3.10 then ends after 14 s with exit status 69 and says::

        * epmd reports node 'rabbit' uses port 25672 for inter-node and CLI tool traffic
        * TCP connection succeeded but Erlang distribution failed

    It says the same at once where the cookie is another one, so that the seconds tell the two apart.
    """

    probes: ClassVar[tuple[Probe, ...]] = (STATUS,)

    silent: bool
    seconds: float
    evidence: Evidence

    def __str__(self) -> str:
        return "RabbitMQ"

    @classmethod
    def parse(cls, results: NodeResults) -> BrokerSilence:
        """Raises NotApplicable without rabbitmqctl, CouldNotCheck where it may not ask."""
        result = results.every(STATUS)[0]
        if result.status is Status.MISSING:
            raise NotApplicable(result.reason or f"{result.command} is not on this node")
        if result.status is Status.TIMED_OUT:
            line = f"no answer within {result.seconds or STATUS.timeout:.0f} s"
            return cls(True, result.seconds, results.evidence(result, line))
        if result.status not in (Status.RAN, Status.TRUNCATED):
            raise CouldNotCheck(f"{result.command}: {result.reason or result.status.value}")
        said = (result.stderr + b"\n" + result.stdout)[:65536].decode("utf-8", "replace") if result.exit else ""
        word = _OPERATION.search(said)
        if word is None and result.seconds >= PATIENCE and not _REJECTED.search(said):
            word = _UNGREETED.search(said)
        line = next((line.strip(" \t*") for line in said.splitlines() if word and word[0] in line), "it answered")
        return cls(word is not None, result.seconds, results.evidence(result, excerpt(line)))

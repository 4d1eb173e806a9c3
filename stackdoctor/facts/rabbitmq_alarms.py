"""Resource alarms of a RabbitMQ broker, in each way that its versions write them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stackdoctor.errors import ParseError
from stackdoctor.facts.rabbitmq_text import names_of, plain, text_of
from stackdoctor.facts.table import excerpt
from stackdoctor.model import Evidence, NodeResults, Result

__all__ = ["Alarm", "alarms_in"]


@dataclass(frozen=True)
class Alarm:
    """A resource alarm in force: ``kind`` is memory, disk or file_descriptors; ``node`` is whose resource it is.

    A memory or disk alarm of any node blocks publishers on all nodes of its cluster.
    """

    kind: str
    node: str
    evidence: Evidence

    def __str__(self) -> str:
        return f"{self.kind} alarm on {self.node}"


def alarms_in(
    results: NodeResults, result: Result, values: Mapping[str, object], node: str
) -> dict[tuple[str, str], Alarm]:
    """The alarms by kind and node.  To 3.7 status names the local ones only by kind, cluster_status by node."""
    raised = values.get("alarms")
    found: dict[tuple[str, str], Alarm] = {}
    for kind, owner in _raised(raised if isinstance(raised, list) else (), node):
        kind = "file_descriptors" if kind.startswith("file_descriptor") else kind
        line = _line(plain(result.text), kind, owner) or f'"alarms": {json.dumps(raised)}'
        found[kind, owner] = Alarm(kind, owner, results.evidence(result, line))
    return found


def _raised(alarms: Iterable[object], node: str) -> Iterable[tuple[str, str]]:
    for alarm in alarms:
        if isinstance(alarm, str):
            yield alarm, node
        elif isinstance(alarm, dict):
            yield text_of(alarm.get("resource")) or text_of(alarm.get("type")), text_of(alarm.get("node")) or node
        elif isinstance(alarm, (list, tuple)) and len(alarm) == 2:
            limit, kinds = alarm
            if isinstance(limit, (list, tuple)) and len(limit) == 3:  # {{resource_limit,memory,Node},[]}
                yield text_of(limit[1]), text_of(limit[2])
            elif isinstance(limit, str):  # {Node,[memory]}
                yield from ((kind, limit) for kind in names_of(kinds))
        else:
            raise ParseError(f"unknown alarm: {excerpt(str(alarm))}")


def _line(text: str, kind: str, node: str) -> str:
    """The line for people or of Erlang terms that tells the alarm; empty in JSON, which is all one line."""
    word = {"memory": "Memory", "disk": "Free disk space"}.get(kind, "File descriptor")
    for line in text.splitlines():
        if (line.startswith(f"{word} ") and line.endswith(f"node {node}")) or line.strip(" [").startswith("{alarms,"):
            return line.strip()
    return ""

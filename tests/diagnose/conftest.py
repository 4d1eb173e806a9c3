"""Nodes whose only answer is a log scan, as the agent writes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stackdoctor.collect.plan import LOG_PROBE
from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.diagnose.playbook import parse_playbook
from stackdoctor.model import Clock, Node, NodeResults, Result
from stackdoctor.snapshot.format import Snapshot

NOON = 1795348800.0  # 2026-11-22 12:00:00Z

Line = dict[str, Any]
Scanned = Callable[..., NodeResults]


def _seen(signature: str, *times: float, service: str = "rabbitmq-server", **keys: str) -> Line:
    """All lines of one signature with the same keys; ``times`` are seconds after noon."""
    moments = sorted(NOON + time for time in times)
    minutes: dict[str, int] = {}
    for moment in moments:
        minute = str(int(moment // 60))
        minutes[minute] = minutes.get(minute, 0) + 1
    kept = moments if len(moments) <= 3 else [*moments[:2], moments[-1]]
    return {
        "signature": signature,
        "service": service,
        "path": f"/var/log/{service}.log",
        "keys": keys,
        "count": len(moments),
        "first": moments[0],
        "last": moments[-1],
        "minutes": minutes,
        "samples": [{"time": m, "line": n, "offset": 0, "text": f"line {n}"} for n, m in enumerate(kept, 1)],
    }


@pytest.fixture
def seen() -> Callable[..., Line]:
    """``seen("rmq-alarm-set", 60, 120, resource="memory")``: lines one and two minutes after noon."""
    return _seen


@pytest.fixture
def noon() -> float:
    """Seconds since the epoch."""
    return NOON


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return load_knowledge()


REFUSED = """
cause: rpc-wrong-credentials
title: "the broker on {node} refuses a login"
severity: critical
systems: [rabbitmq]
why: The password is wrong.
where: {node: "{node}"}
when:
  - log.rmq-login-refused: {node: "{node}", weight: strong}
confirm: ["rabbitmqctl list_users"]
fix:
  - {do: "set the password", risk: config-change}
"""


@pytest.fixture(scope="session")
def refusals(knowledge: Knowledge) -> Knowledge:
    """All checks, and one cause."""
    return replace(knowledge, playbooks=(parse_playbook(REFUSED, "test"),))


@pytest.fixture
def refused(scanned: Scanned) -> Snapshot:
    """A cloud in which a password is wrong, which the broker's log says."""
    keys = {"user": "nova", "mechanism": "PLAIN", "host": "192.0.2.7"}
    lines = _seen("rmq-login-refused", *range(1600, 1800, 10), **keys)
    return Snapshot((scanned("controller", lines),), NOON + 1800, 1.0, "test")


@pytest.fixture
def scanned() -> Scanned:
    """``scanned("controller", seen(...), ...)``: a node whose logs from 12:00 to 12:30, by its own clock, say so."""

    def node(name: str, *lines: Line, ahead: float = 0.0) -> NodeResults:
        said = {"since": NOON, "until": NOON + 1800, "grep": "gnu", "files": [], "hits": list(lines)}
        result = Result(LOG_PROBE.id, "logs", stdout=json.dumps(said).encode())
        return NodeResults(Node(name), {(LOG_PROBE.id, ""): result}, Clock(NOON + 1800, offset=ahead), name)

    return node

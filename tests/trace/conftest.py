"""A recorded cloud, healthy or with one fault, and ways to change what a node said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackdoctor.model import NodeResults
from stackdoctor.trace.wiring import Wiring

SAMPLES = Path(__file__).parent / "samples"

Nodes = dict[str, NodeResults]


@pytest.fixture
def cloud(recording: Callable[..., Nodes]) -> Callable[[str], Nodes]:
    """``cloud("vm-tap-off-bridge")``: a controller and two compute nodes; the faulty one says what it did then."""
    return lambda fault="": recording(*(SAMPLES / f"{name}.json" for name in ("healthy", fault) if name))


@pytest.fixture
def said() -> Callable[..., None]:
    """``said(nodes, "compute1", "links.host", change)``: the JSON rows of one answer, changed in place."""

    def change_answer(
        nodes: Nodes, node: str, probe: str, change: Callable[[list[dict[str, Any]]], object], subject: str = ""
    ) -> None:
        result = nodes[node].results[probe, subject]
        rows = json.loads(result.stdout)
        change(rows)
        changed = replace(result, stdout=json.dumps(rows).encode())
        nodes[node] = replace(nodes[node], results={**nodes[node].results, (probe, subject): changed})

    return change_answer


@pytest.fixture
def without() -> Callable[..., None]:
    """``without(nodes, "compute1", "iptables.save")``: those answers were never given."""

    def drop(nodes: Nodes, node: str, *probes: str) -> None:
        kept = {key: result for key, result in nodes[node].results.items() if key[0] not in probes}
        nodes[node] = replace(nodes[node], results=kept)

    return drop


@pytest.fixture
def wired() -> Callable[[Nodes], Wiring]:
    """The wiring of such a cloud."""
    return lambda nodes: Wiring.of(nodes.values())

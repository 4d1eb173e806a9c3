"""A router that Neutron changes at this moment is not judged by what its namespace lacks, and that is said."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from stackdoctor.diagnose.analyse import Analysis, analyse
from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.snapshot.read import read_snapshot

FIXTURES = Path(__file__).parents[3] / "fixtures"


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return load_knowledge()


def judged(knowledge: Knowledge, *, deleted: bool = False, age: float = 9999.0) -> Analysis:
    """A recorded cloud whose router has lost its rules, with what its APIs said on another day of that router."""
    snapshot, healthy = (
        read_snapshot(FIXTURES / name / "snapshot.tar.gz") for name in ("snat-rule-missing", "healthy")
    )
    [believed] = [n for n in healthy.nodes if n.node.name == "controller"]
    answers = {key: result for key, result in believed.results.items() if key[0].startswith("api.")}
    key = ("api.network.routers", "")
    content = json.loads(answers[key].stdout)
    changed = datetime.fromtimestamp(content["date"] - age, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    content["rows"] = [] if deleted else [{**row, "updated_at": changed} for row in content["rows"]]
    answers[key] = replace(answers[key], stdout=json.dumps(content).encode())
    nodes = tuple(
        replace(n, results={**n.results, **answers}) if n.node.name == "controller" else n for n in snapshot.nodes
    )
    return analyse(replace(snapshot, nodes=nodes), knowledge)


def test_a_router_that_was_left_alone_is_judged(knowledge: Knowledge) -> None:
    analysis = judged(knowledge)
    assert [d.cause for d in analysis.correlation.diagnoses] == ["l3-nat-missing"]
    assert "api.router.in-motion" not in {f.id for f in analysis.examination.findings}


def test_a_router_that_is_being_removed_is_not(knowledge: Knowledge) -> None:
    analysis = judged(knowledge, deleted=True)
    assert analysis.correlation.diagnoses == ()
    [said] = [f for f in analysis.examination.findings if f.id == "api.router.in-motion"]
    assert said.message.endswith("is not judged: Neutron does not have it any more")


def test_a_router_that_was_changed_a_moment_ago_is_not(knowledge: Knowledge) -> None:
    analysis = judged(knowledge, age=20.0)
    assert analysis.correlation.diagnoses == ()
    [said] = [f for f in analysis.examination.findings if f.id == "api.router.in-motion"]
    assert said.message.endswith("is not judged: Neutron has changed it 20 s before")

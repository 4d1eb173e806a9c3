"""What became of each check on each node, and what could not be looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.hypothesis import UNCHECKED_FACTOR
from stackdoctor.diagnose.outcomes import Outcomes, outcomes
from stackdoctor.diagnose.playbook import parse_playbook
from stackdoctor.diagnose.registry import check_of
from stackdoctor.diagnose.runner import Examination, NotChecked, examine
from stackdoctor.errors import UsageError
from stackdoctor.model import Clock, Evidence, Node, NodeResults, Probe, Result, Status

PROBE = Probe("thing.state", ("thing",))


@dataclass(frozen=True)
class Thing:
    word: str
    gaps: tuple[tuple[str, str], ...] = ()

    probes: ClassVar[tuple[Probe, ...]] = (PROBE,)

    @classmethod
    def parse(cls, results: NodeResults) -> Thing:
        word = results.one(PROBE).text
        return cls(word, (("thing.*", "half of it is unread"),) if word == "half" else ())


@check("thing.broken", severity=Severity.ERROR)
def broken(thing: Thing) -> Iterator[Finding]:
    """It is broken."""
    if thing.word == "broken":
        yield Finding("thing", "broken", first=100.0, last=200.0, evidence=Evidence("n", "thing", "broken"))


@check("thing.alone", severity=Severity.ERROR)
def alone(things: Cloud[Thing]) -> Iterator[Finding]:
    """Only one has it."""
    if len(things.facts) == 1:
        yield Finding("thing", "alone")


CHECKS = [check_of(broken), check_of(alone)]


@dataclass(frozen=True)
class Wide:
    words: tuple[str, ...]

    probes: ClassVar[tuple[Probe, ...]] = (PROBE,)

    def for_the_cloud(self) -> Wide:
        return Wide(tuple(word for word in self.words if word != "own"))

    @classmethod
    def parse(cls, results: NodeResults) -> Wide:
        return cls(tuple(results.one(PROBE).text.split()))


@check("wide.one", severity=Severity.ERROR)
def of_one(own: Wide) -> Iterator[Finding]:
    """What a node sees of itself."""
    yield Finding("wide", " ".join(own.words))


@check("wide.all", severity=Severity.ERROR)
def of_all(wides: Cloud[Wide]) -> Iterator[Finding]:
    """What is seen of all nodes."""
    yield Finding("wide", "; ".join(" ".join(each.words) for _, each in wides))


def node(name: str, answer: str | Status, ahead: float = 0.0) -> NodeResults:
    said = {"stdout": answer.encode()} if isinstance(answer, str) and not isinstance(answer, Status) else {}
    status = answer if isinstance(answer, Status) else Status.RAN
    return NodeResults(
        Node(name), {(PROBE.id, ""): Result(PROBE.id, "thing", status=status, **said)}, Clock(0.0, ahead)
    )


def test_each_check_has_one_of_four_outcomes_on_each_node():
    nodes = [
        node("a", "broken"),
        node("b", "fine"),
        node("c", Status.MISSING),
        node("d", Status.DENIED),
        node("e", "half"),
    ]
    examination = examine(nodes, CHECKS)
    of_broken, of_alone = outcomes(["thing.broken", "thing.alone"], examination)
    assert of_broken == Outcomes(("thing.broken",), ("a",), ("b",), ("c",), ("d", "e"))
    assert of_alone == Outcomes(("thing.alone",), (), ("a", "b"), ("c",), ("d", "e"))


def test_checks_with_the_same_outcomes_are_together_and_what_has_ended_is_fine():
    past = Finding("x", "x", id="b", node="n", state="past")
    examination = Examination((past,), (), frozenset({("a", "n"), ("b", "n")}))
    assert outcomes(["a", "b"], examination) == (Outcomes(("a", "b"), (), ("n",), (), ()),)


def test_a_finding_in_the_part_that_was_read_is_a_finding():
    examination = Examination(
        (Finding("x", "x", id="log.a", node="n"),), (NotChecked("log.*", "n", "denied"),), frozenset({("log.a", "n")})
    )
    assert outcomes(["log.a", "log.b"], examination)[0].finding == ("n",)
    assert outcomes(["log.a", "log.b"], examination)[1].not_checked == ("n",)


def test_a_check_over_several_nodes_gets_what_concerns_others():
    found = examine([node("a", "own shared"), node("b", "own both")], [check_of(of_one), check_of(of_all)])
    assert sorted(finding.message for finding in found.findings) == ["own both", "own shared", "shared; both"]


def test_a_fact_may_be_named_in_quotes_within_its_cloud():
    @check("thing.quoted", severity=Severity.ERROR)
    def quoted(things: Cloud["Thing"]) -> Iterator[Finding]:  # noqa: UP037
        """It is quoted."""
        yield from ()

    assert [(need.fact, need.cloud) for need in check_of(quoted).needs] == [(Thing, True)]


def test_the_times_of_a_finding_are_put_on_our_clock():
    (found,) = examine([node("a", "broken", ahead=60.0), node("b", "fine")], CHECKS).findings
    assert (found.first, found.last) == (40.0, 140.0)


UNLESS = """
cause: c
title: "c on {host}"
severity: error
systems: [x]
why: x
where: {node: "{host}"}
when:
  - x: {host: "{host}", weight: strong}
unless:
  - log.y: {node: "{host}"}
confirm: [x]
fix: [{do: x, risk: read-only}]
"""


def confidence(*missed: NotChecked) -> tuple[float, tuple[str, ...]]:
    grounds = Finding("x", "x", id="x", node="a", severity=Severity.ERROR, host="a")
    (diagnosis,) = correlate([parse_playbook(UNLESS, "t")], Examination((grounds,), missed, frozenset())).diagnoses
    return round(diagnosis.confidence, 6), diagnosis.unchecked


def test_excluding_logs_that_could_not_be_read_where_the_cause_is_are_named_and_lower_the_confidence():
    lowered = (round(0.8 * UNCHECKED_FACTOR, 6), ("log.y{node: {host}}",))
    assert confidence(NotChecked("log.*", "a", "denied")) == lowered
    assert confidence(NotChecked("log.y", "", "failed")) == lowered
    assert confidence(NotChecked("log.*", "b", "denied")) == (0.8, ())
    assert confidence(NotChecked("rabbitmq.*", "a", "denied")) == (0.8, ())
    assert confidence() == (0.8, ())


@pytest.mark.parametrize("flag", ["past", "expected"])
def test_a_word_is_no_truth_value_in_a_pattern(flag: str) -> None:
    with pytest.raises(UsageError, match=r"t: log\.y: past and expected are true or false"):
        parse_playbook(UNLESS.replace('node: "{host}"', f'node: "{{host}}", {flag}: no'), "t")

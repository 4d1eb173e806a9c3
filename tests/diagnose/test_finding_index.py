"""Joins by key values, and the sets of findings that are shared."""

from __future__ import annotations

from stackdoctor.diagnose.finding_index import FindingIndex
from stackdoctor.diagnose.pattern import Pattern, parse_term
from stackdoctor.model import Finding


def pattern(finding: str, *, past: bool = False, **terms: str) -> Pattern:
    return Pattern(finding, tuple((key, parse_term(term)) for key, term in terms.items()), 0.5, past)


def named(id_: str, **keys: str) -> Finding:
    return Finding("s", "m", id=id_, **keys)


FINDINGS = [
    named("log.timeout", callee="conductor", host="a"),
    named("log.timeout", callee="scheduler", host="a"),
    named("log.timeout", host="a"),
    named("log.timeout"),
    named("log.timeout", callee="conductor", host="b"),
    named("log.timeout", callee="conductor", host="a", state="past"),
    named("log.other", callee="conductor"),
]


def test_a_symptom_that_lacks_a_key_may_belong_to_every_case_and_one_that_has_another_value_to_none() -> None:
    index = FindingIndex(FINDINGS)
    found = index.parts(
        pattern("log.timeout", callee="{service}", host="{host}"), {"service": "conductor", "host": "a"}
    )
    assert sorted(p for part in found for p in part) == [0, 2, 3]
    assert sum(map(len, found)) == 3


def test_what_lacks_the_key_is_one_set_for_all_cases() -> None:
    index = FindingIndex(FINDINGS)
    asked = pattern("log.timeout", callee="{service}")
    conductor, scheduler = (index.parts(asked, {"service": name}) for name in ("conductor", "scheduler"))
    assert [part for part in conductor if any(part is other for other in scheduler)] == [frozenset({2, 3})]


def test_a_glob_takes_findings_of_all_its_ids_and_past_ones_only_where_it_says_so() -> None:
    index = FindingIndex(FINDINGS)
    asked = pattern("log.*", past=True, callee="conductor", host="!b")
    assert sorted(p for part in index.parts(asked, {}) for p in part) == [0, 2, 3, 5, 6]
    assert 5 not in index.positions(pattern("log.timeout", callee="conductor"), {})


def test_a_match_needs_every_key_and_groups_by_what_it_binds() -> None:
    index = FindingIndex(FINDINGS)
    matches = index.matches(pattern("log.timeout", callee="{service}", host="{host}"), {"host": "a"})
    assert matches == (({"service": "conductor"}, (0,)), ({"service": "scheduler"}, (1,)))


def test_the_same_question_gets_the_same_object() -> None:
    index = FindingIndex(FINDINGS)
    asked = pattern("log.timeout", callee="{service}")
    assert index.positions(asked, {"service": "conductor"}) is index.positions(
        asked, {"service": "conductor", "x": "y"}
    )

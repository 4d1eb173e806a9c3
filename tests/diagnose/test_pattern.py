"""Terms compare, bind and negate as docs/correlation.md says."""

from __future__ import annotations

import pytest

from stackdoctor.diagnose.pattern import Pattern, fill, parse_term
from stackdoctor.model import Finding


@pytest.mark.parametrize(
    ("term", "value", "holds"),
    [
        ("nova-*", "nova-compute", True),
        ("nova-*", "neutron-server", False),
        ("a|b", "b", True),
        ("!a|b", "b", False),
        (">0", "3", True),
        (">0", "0", False),
        ("<=2.5", "2.5", True),
        (">0", "many", False),
        ("{host}", "compute1", True),
        ("{host}", "compute2", False),
        ("!{host}", "compute2", True),
        ("{unbound}", "anything", True),
    ],
)
def test_a_term_holds_for(term: str, value: str, holds: bool) -> None:
    assert parse_term(term).holds(value, {"host": "compute1"}) is holds


def test_a_match_binds_its_variables() -> None:
    pattern = Pattern("x", (("host", parse_term("{host}")), ("topic", parse_term("{topic}"))), 0.5)
    assert pattern.bind(Finding("s", "m", host="a", topic="t"), {"host": "a"}) == {"host": "a", "topic": "t"}
    assert pattern.bind(Finding("s", "m", host="b", topic="t"), {"host": "a"}) is None


def test_a_missing_key_fails_a_term() -> None:
    pattern = Pattern("x", (("topic", parse_term("conductor")),), 0.5)
    assert pattern.bind(Finding("s", "m"), {}) is None


def test_node_and_subject_are_keys_of_every_finding() -> None:
    pattern = Pattern("x", (("node", parse_term("{n}")), ("subject", parse_term("{s}"))), 0.5)
    assert pattern.bind(Finding("queue", "m", node="controller"), {}) == {"n": "controller", "s": "queue"}


def test_an_unbound_variable_stays_visible_in_a_text() -> None:
    assert fill("{service} on {host}", {"service": "nova-compute"}) == "nova-compute on <host>"
    assert fill("awk '{print $1}'", {}) == "awk '{print $1}'"

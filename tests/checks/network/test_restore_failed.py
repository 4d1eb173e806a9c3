"""Rules that iptables-restore refuses: the line in the log and what is wrong on the node, and neither alone."""

from __future__ import annotations

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.playbook import load_playbooks
from stackdoctor.diagnose.runner import Examination
from stackdoctor.model import Finding, Severity


def refused(node: str) -> Finding:
    return Finding(
        *("neutron-linuxbridge-agent", "the rules were refused"),
        node=node,
        id="log.iptables-apply-failed",
        severity=Severity.WARNING,
        service="neutron-linuxbridge-agent",
        state="now",
    )


MISSING = Finding(
    *("tap0123", "has no chain"),
    node="compute1",
    id="secgroup.chain.missing",
    severity=Severity.ERROR,
    host="compute1",
    port="01234567-89",
    device="tap01234567-89",
)


def causes(*findings: Finding) -> list[str]:
    examined = Examination(findings, (), frozenset())
    return [diagnosis.cause for diagnosis in correlate(load_playbooks(), examined).diagnoses]


def test_rules_that_are_refused_are_why_a_chain_is_missing() -> None:
    assert causes(refused("compute1"), MISSING) == ["iptables-restore-failed"]


def test_rules_that_another_node_refused_are_not() -> None:
    assert "iptables-restore-failed" not in causes(refused("compute2"), MISSING)
    assert "iptables-restore-failed" not in causes(MISSING)
    assert "iptables-restore-failed" not in causes(refused("compute1"))

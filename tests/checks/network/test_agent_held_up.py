"""An agent that a failing command holds up: its symptoms and those of others are its, and not by a log line alone."""

from __future__ import annotations

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.playbook import load_playbooks
from stackdoctor.diagnose.runner import Examination
from stackdoctor.model import Finding, Severity

FAILS = Finding(
    "neutron-linuxbridge-agent", "ebtables fails", node="compute1", id="log.l2-agent-command-failed",
    severity=Severity.WARNING, service="neutron-linuxbridge-agent", command="ebtables", code="4", state="now",
)  # fmt: skip
UNPLUGGED = Finding(
    "nova-compute", "waited in vain", node="compute1", id="log.nova-vif-timeout", severity=Severity.WARNING,
    service="nova-compute", state="now",
)  # fmt: skip
NOT_LISTED = Finding(
    "vxlan-822", "no entry for compute1", node="controller", id="overlay.vxlan.fdb-missing", severity=Severity.ERROR,
    host="controller", peer="compute1", network="c29dcc29-e6", vni="822", device="vxlan-822", kind="peer",
)  # fmt: skip


def causes(*findings: Finding) -> list[str]:
    return [
        diagnosis.cause for diagnosis in correlate(load_playbooks(), Examination(findings, (), frozenset())).diagnoses
    ]


def test_peers_that_do_not_know_the_node_are_explained_by_its_agent() -> None:
    assert causes(FAILS, UNPLUGGED, NOT_LISTED) == ["neutron-agent-held-up"]


def test_a_failing_command_and_a_port_that_was_not_plugged_are_no_proof() -> None:
    assert "neutron-agent-held-up" not in causes(FAILS, UNPLUGGED)


def test_peers_that_do_not_know_the_node_without_a_failing_command_are_another_cause() -> None:
    assert causes(NOT_LISTED) == ["vtep-fdb-missing"]

"""Triage of recorded clouds: the right symptom leads to what is true, the wrong one says so."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from stackdoctor.diagnose.analyse import Analysis, analyse
from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.diagnose.question import Question, focused, lines_in
from stackdoctor.diagnose.runner import Examination
from stackdoctor.diagnose.triage import ABSENT, EXCLUDED, FOLLOWS, HOLDS, POSSIBLE, UNKNOWN, Triage, triage
from stackdoctor.model import Finding, Severity
from stackdoctor.snapshot.read import read_snapshot

FIXTURES = Path(__file__).parents[2] / "fixtures"

SEEN = {
    "antispoof-mac-mismatch": ["no-address", "unreachable"],
    "compound-conductor-and-vxlan": ["unreachable", "messaging-timeout"],
    "compound-metadata-and-compute-hung": ["no-metadata", "agent-down"],
    "compound-rabbit-block-and-dnsmasq": ["no-address", "messaging-timeout"],
    "compound-snat-and-iscsi": ["unreachable", "volume-stuck"],
    "compound-vxlan-and-acl": ["unreachable", "volume-stuck"],
    "compute-agent-hung": ["agent-down", "build-stuck"],
    "conductor-hung": ["messaging-timeout", "agent-down"],
    "conductor-hung-late": ["messaging-timeout"],
    "conductor-stopped": ["messaging-timeout", "build-stuck"],
    "dhcp-agent-down": ["no-address"],
    "dhcp-tap-off-bridge": ["no-address"],
    "disk-full-on-compute": ["instance-error"],
    "dnsmasq-killed": ["no-address"],
    "duplicate-ip": ["unreachable"],
    "host-unreachable": ["agent-down", "unreachable"],
    "iscsi-acl-missing": ["volume-stuck"],
    "iscsi-session-dropped": ["volume-stuck", "instance-down"],
    "iscsi-target-offline": ["volume-stuck"],
    "keystone-down-behind-haproxy": ["no-login", "api-slow"],
    "l3-agent-down": ["unreachable", "agent-down"],
    "linuxbridge-agent-down": ["build-stuck", "instance-error"],
    "metadata-agent-down": ["no-metadata"],
    "metadata-proxy-down": ["no-metadata"],
    "mtu-mismatch": ["unreachable"],
    "mysql-down": ["api-slow", "agent-down"],
    "mysql-too-many-connections": ["api-slow"],
    "no-valid-host": ["instance-error"],
    "qrouter-gateway-missing": ["unreachable"],
    "rabbitmq-blocked-from-compute1": ["messaging-timeout", "agent-down"],
    "rabbitmq-disk-alarm": ["messaging-timeout"],
    "rabbitmq-down": ["messaging-timeout", "agent-down"],
    "rabbitmq-memory-alarm": ["messaging-timeout"],
    "security-group-chain-missing": ["too-open"],
    "sg-dhcp-reply-dropped": ["no-address"],
    "snat-rule-missing": ["unreachable"],
    "vm-tap-off-bridge": ["unreachable", "no-address"],
    "vxlan-down-on-compute": ["unreachable", "no-address"],
}
"""What an operator sees of each fault."""

NOT_SEEN = {
    "dnsmasq-killed": "console",
    "mysql-down": "too-open",
    "l3-agent-down": "volume-stuck",
    "iscsi-target-offline": "no-login",
    "metadata-agent-down": "messaging-timeout",
    "snat-rule-missing": "no-address",
    "no-valid-host": "unreachable",
    "sg-dhcp-reply-dropped": "no-telemetry",
}


@functools.cache
def everything() -> Knowledge:
    return load_knowledge()


@functools.cache
def analysed(case: str) -> Analysis:
    return analyse(read_snapshot(FIXTURES / case / "snapshot.tar.gz"), everything())


def asked(symptom: str) -> Question:
    return Question((next(s for s in everything().symptoms if s.id == symptom),))


def judged(case: str, symptom: str) -> Triage:
    return triage(asked(symptom), everything().playbooks, analysed(case))


def true_causes(case: str) -> list[set[str]]:
    truth = json.loads((FIXTURES / case / "truth.json").read_text())
    return [set(broken["causes"]) for broken in truth["broken"]]


@pytest.mark.parametrize(("case", "symptom"), [(case, symptom) for case, all_ in SEEN.items() for symptom in all_])
def test_the_matching_symptom_names_a_true_cause_and_no_other(case: str, symptom: str) -> None:
    named = {d.cause for d in judged(case, symptom).explaining}
    assert named
    assert named <= set().union(*true_causes(case))


@pytest.mark.parametrize(("case", "symptom"), NOT_SEEN.items())
def test_another_symptom_is_not_explained_and_what_is_broken_is_named_as_well(case: str, symptom: str) -> None:
    said = judged(case, symptom)
    assert said.explaining == ()
    assert {d.cause for d in said.others} <= set().union(*true_causes(case))
    assert said.others


@pytest.mark.parametrize("case", ["healthy", "healthy-busy", "benign-old-errors", "benign-stopped-guest"])
def test_nothing_explains_a_symptom_of_a_healthy_cloud(case: str) -> None:
    for symptom in everything().symptoms:
        said = judged(case, symptom.id)
        assert (said.explaining, said.others) == ((), ()), symptom.id


def test_two_faults_are_told_apart_by_the_symptom() -> None:
    network, disks = (judged("compound-snat-and-iscsi", s) for s in ("unreachable", "volume-stuck"))
    assert [d.cause for d in network.explaining] == [d.cause for d in disks.others] == ["l3-nat-missing"]
    assert [d.cause for d in disks.explaining] == [d.cause for d in network.others] == ["iscsi-target-missing"]


def test_what_was_looked_for_and_is_not_there_is_ruled_out_with_the_nodes() -> None:
    causes = {each.cause: each for each in judged("dnsmasq-killed", "no-address").judged}
    assert causes["dhcp-dnsmasq-dead"].state == HOLDS
    rogue = causes["dhcp-rogue-server"]
    assert (rogue.state, rogue.reasons) == (ABSENT, ("no dhcp.server.foreign found",))
    assert set(rogue.nodes) == {"controller", "compute1", "compute2", "storage"}


def test_what_could_not_be_looked_at_is_open_and_not_ruled_out() -> None:
    causes = {each.cause: each for each in judged("dnsmasq-killed", "no-address").judged}
    assert causes["ovs-vswitchd-down"].state == UNKNOWN
    assert "ovs.db was not asked" in causes["ovs-vswitchd-down"].reasons


def test_what_rules_a_cause_out_is_quoted() -> None:
    (ruled_out,) = judged("dhcp-agent-down", "no-address").of(EXCLUDED)
    assert ruled_out.cause == "dhcp-dnsmasq-dead"
    assert ruled_out.reasons == ("controller: neutron-dhcp-agent.service is inactive (dead)",)
    assert "neutron-dhcp-agent" in ruled_out.evidence[0].line


def test_a_link_of_a_chain_follows_from_its_root() -> None:
    followed = judged("iscsi-session-dropped", "volume-stuck").of(FOLLOWS)
    assert [each.cause for each in followed] == ["iscsi-session-lost"]
    assert "follows from iscsi-path-blocked" in followed[0].reasons[0]


def test_what_too_little_speaks_for_is_possible_and_says_how_to_decide_it() -> None:
    (possible,) = judged("rabbitmq-blocked-from-compute1", "agent-down").of(POSSIBLE)
    assert possible.cause == "rpc-consumer-hung"
    assert "too little speaks for it" in possible.reasons[0]
    assert possible.confirm[0].startswith("ssh compute1 ")


def test_every_cause_of_the_symptom_is_judged_once() -> None:
    said = judged("healthy", "no-address")
    causes = [each.cause for each in said.judged]
    assert sorted(causes) == sorted(p.cause for p in asked("no-address").causes(everything().playbooks))


def test_a_finding_that_no_cause_fits_is_seen_and_unexplained() -> None:
    analysis = analysed("healthy")
    found = Finding("x", "odd", node="controller", id="dhcp.dnsmasq.outside", severity=Severity.ERROR)
    examination = Examination((found,), (), frozenset())
    correlation = replace(analysis.correlation, unexplained=(found,))
    said = triage(asked("no-address"), (), replace(analysis, examination=examination, correlation=correlation))
    assert said.unexplained == (found,)


@pytest.mark.parametrize("symptom", [s.id for s in load_knowledge().symptoms])
def test_a_symptom_needs_fewer_probes_than_a_diagnosis(symptom: str) -> None:
    whole = everything().plan(since=1800, seconds=60)
    part = focused(everything(), asked(symptom)).plan(since=1800, seconds=60)
    assert {p.id for p in part.probes} < {p.id for p in whole.probes}
    assert len(part.probes) <= 0.6 * len(whole.probes)
    assert len(part.apis) <= len(whole.apis)


def test_what_is_looked_at_is_enough_for_every_cause_that_is_judged() -> None:
    focus = focused(everything(), asked("no-metadata"))
    ids = {c.id for c in focus.checks}
    assert {p.cause for p in asked("no-metadata").causes(everything().playbooks)} <= {p.cause for p in focus.playbooks}
    for playbook in focus.playbooks:
        for pattern in (*playbook.unless, *playbook.against):
            assert "*" in pattern.finding or pattern.finding in ids, (playbook.cause, pattern.finding)


@pytest.mark.parametrize(("case", "symptom"), [("dnsmasq-killed", "no-address"), ("iscsi-acl-missing", "volume-stuck")])
def test_looking_at_a_part_gives_the_same_verdict_as_looking_at_all(case: str, symptom: str) -> None:
    focus = focused(everything(), asked(symptom))
    part = triage(
        asked(symptom), everything().playbooks, analyse(read_snapshot(FIXTURES / case / "snapshot.tar.gz"), focus)
    )
    assert [d.cause for d in part.explaining] == [d.cause for d in judged(case, symptom).explaining]


@pytest.mark.parametrize(("node", "named"), [("compute1", ["rpc-consumer-hung"]), ("compute2", [])])
def test_where_something_stopped_leads_to_the_cause_at_that_service_and_node(node: str, named: list[str]) -> None:
    question = Question(stopped=(("nova-compute", node),))
    said = triage(question, everything().playbooks, analysed("compute-agent-hung"))
    assert [d.cause for d in said.explaining] == named


TIMEOUT = (
    "2026-11-22 23:45:36.133 298 WARNING nova.servicegroup.drivers.db [-] Lost connection to nova-conductor for"
    " reporting service status.: oslo_messaging.exceptions.MessagingTimeout: Timed out waiting for a reply to"
    " message ID 7ba0a8c062ba4623a8bf2d5a768cc662"
)


def test_a_log_line_is_known_by_its_signatures_and_leads_to_its_cause() -> None:
    lines = tuple(finding for _, finding in lines_in(TIMEOUT, everything().signatures))
    assert {line.id for line in lines} == {"log.rpc-timeout", "log.service-report-lost"}
    said = triage(Question(lines=lines), everything().playbooks, analysed("conductor-hung"))
    assert [d.cause for d in said.explaining] == ["rpc-consumer-hung"]


def test_a_log_line_does_not_lead_to_what_it_does_not_speak_of() -> None:
    lines = tuple(finding for _, finding in lines_in(TIMEOUT, everything().signatures))
    said = triage(Question(lines=lines), everything().playbooks, analysed("dnsmasq-killed"))
    assert said.explaining == ()
    assert [d.cause for d in said.others] == ["dhcp-dnsmasq-dead"]


def test_a_line_of_no_signature_is_none() -> None:
    assert list(lines_in("all is well", everything().signatures)) == []

"""Pacemaker 2.1.5 and corosync 3.1.7 of Debian 12, three nodes: what they printed, healthy and broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackdoctor.errors import CouldNotCheck, ParseError
from stackdoctor.facts.corosync import COROSYNC_LINKS, COROSYNC_QUORUM, Corosync, parse_quorum
from stackdoctor.facts.pacemaker import PACEMAKER_STATUS, Pacemaker, parse_cluster
from stackdoctor.model import Evidence

CLUSTER = Path(__file__).parent / "samples" / "cluster"


def read(name: str) -> Pacemaker:
    return parse_cluster((CLUSTER / name).read_text(), lambda line: Evidence("", "", line))


@pytest.mark.parametrize("name", ["crm-healthy.xml", "crm-healthy-1.1.xml"])
def test_a_healthy_cluster_is_read_in_both_forms(name) -> None:
    cluster = read(name)
    assert (cluster.running, cluster.dc, cluster.quorum, cluster.fences) == (True, "ctl1", True, False)
    assert [(m.name, m.online, m.unclean) for m in cluster.members] == [(f"ctl{i}", True, False) for i in (1, 2, 3)]
    ran = [(r.id, r.role, r.nodes) for r in cluster.resources]
    assert ran[:2] == [("vip_internal", "Started", ("ctl1",)), ("vip_public", "Started", ("ctl2",))]
    assert sorted(nodes for name, _, nodes in ran if name == "haproxy") == [("ctl1",), ("ctl2",), ("ctl3",)]
    assert cluster.failures == ()


def test_a_failed_start_has_its_reason_and_node() -> None:
    (failure,) = read("crm-failed.xml").failures
    assert (failure.resource, failure.node, failure.task) == ("p_mysql", "ctl3", "start")
    assert failure.reason == "[findif] failed"


def test_members_that_were_killed_are_unclean() -> None:
    cluster = read("crm-minority.xml")
    assert (cluster.dc, cluster.quorum, cluster.fences) == ("ctl1", False, True)
    assert [m.name for m in cluster.members if m.unclean] == ["ctl2", "ctl3"]
    assert cluster.members[1].evidence.line.startswith('<node name="ctl2" online="false"')


def test_nobody_decides_just_after_a_start() -> None:
    cluster = read("crm-starting.xml")
    assert (cluster.running, cluster.dc, cluster.quorum) == (True, "", None)


def test_a_cluster_that_is_not_there_is_a_value(answer, answered_node) -> None:
    said = (
        '<pacemaker-result api-version="2.25">\n  <status code="102" message="Not connected">\n    <errors>\n'
        "      <error>crm_mon: Connection to cluster failed: Connection refused</error>\n    </errors>\n"
        "  </status>\n</pacemaker-result>\n"
    )
    found = Pacemaker.parse(answered_node(answer(PACEMAKER_STATUS, said, exit=102)))
    assert (found.running, found.evidence.line) == (False, "crm_mon: Connection to cluster failed: Connection refused")


def test_a_login_without_the_right_to_ask_is_no_answer(answer, answered_node) -> None:
    node = answered_node(answer(PACEMAKER_STATUS, exit=4, error="crm_mon: Insufficient privileges"))
    with pytest.raises(CouldNotCheck, match="Insufficient privileges"):
        Pacemaker.parse(node)


@pytest.mark.parametrize(
    "hostile",
    [
        '<!DOCTYPE a [<!ENTITY b "bbbb">]><pacemaker-result>&b;</pacemaker-result>',
        "<pacemaker-result>" + "x" * 2_200_000 + "</pacemaker-result>",
        "<pacemaker-result/>",
        "<domain/>",
        "not XML",
    ],
)
def test_what_is_no_cluster_is_refused(hostile) -> None:
    with pytest.raises(ParseError):
        parse_cluster(hostile, lambda line: Evidence("", "", line))


def test_votes_and_members_are_counted(answer, answered_node) -> None:
    node = answered_node(
        answer(COROSYNC_QUORUM, (CLUSTER / "quorum-minority.txt").read_text(), exit=2),
        answer(COROSYNC_LINKS, (CLUSTER / "cfg-minority.txt").read_text()),
    )
    found = Corosync.parse(node)
    assert found.quorum == parse_quorum((CLUSTER / "quorum-minority.txt").read_text())
    assert (found.quorum.quorate, found.quorum.votes, found.quorum.expected, found.quorum.needed) == (False, 1, 3, 2)
    assert [(link.peer, link.state) for link in found.links] == [
        ("1", "localhost"),
        ("2", "disconnected"),
        ("3", "disconnected"),
    ]
    assert parse_quorum((CLUSTER / "quorum-healthy.txt").read_text()).members == ("ctl1", "ctl2", "ctl3")


def test_a_corosync_that_does_not_run_is_a_value(answer, answered_node) -> None:
    found = Corosync.parse(answered_node(answer(COROSYNC_QUORUM, exit=1, error="Cannot initialize CMAP service\n")))
    assert not found.running


def test_another_complaint_of_corosync_is_told(answer, answered_node) -> None:
    with pytest.raises(CouldNotCheck, match="must be root"):
        Corosync.parse(answered_node(answer(COROSYNC_QUORUM, exit=1, error="you must be root\n")))

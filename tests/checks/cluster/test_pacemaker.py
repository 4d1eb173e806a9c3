"""Three control nodes under Pacemaker: what each of them answers, healthy and broken (real text, see tests/facts)."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackdoctor.model import Severity

CLUSTER = Path(__file__).parents[2] / "facts" / "samples" / "cluster"
NODES = ("ctl1", "ctl2", "ctl3")


def text(name: str) -> str:
    return (CLUSTER / name).read_text()


def node(status: str, quorum: str = "healthy", age: int = 9000) -> dict:
    ps = "PID PPID USER STAT STARTED ELAPSED %CPU %MEM RSS NLWP WCHAN COMMAND\n"
    ps += f"41 1 root SLsl Sun Nov 22 16:05:25 2026 {age} 0.9 0.8 219620 9 poll corosync\n"
    return {
        "pacemaker.status": text(f"crm-{status}.xml"),
        "corosync.quorum": text(f"quorum-{quorum}.txt"),
        "corosync.links": text("cfg-minority.txt") if quorum == "minority" else "",
        "processes": ps,
    }


@pytest.fixture
def minority() -> dict:
    return node("minority", "minority")


def test_a_healthy_cluster_gives_nothing(look) -> None:
    seen = look(**{name: node("healthy") for name in NODES})
    assert (seen.findings, seen.causes) == ({}, [])


def test_a_node_in_standby_is_told_and_nothing_is_wrong(look) -> None:
    seen = look(**{name: node("standby") for name in NODES})
    assert {f.id: f.severity for f in seen.every} == {"pacemaker.maintenance": Severity.INFO}
    assert seen.causes == []


def test_the_minority_has_no_quorum_and_is_one_cause(look, minority) -> None:
    seen = look(ctl1=minority)
    found = seen.findings["pacemaker.no-quorum"]
    assert (found.severity, found.keys["votes"], found.keys["expected"]) == (Severity.CRITICAL, "1", "3")
    assert sorted(f.keys["host"] for f in seen.every if f.id == "pacemaker.node-offline") == ["ctl2", "ctl3"]
    assert seen.causes == [("pacemaker-quorum-or-fence", "ctl1")]
    assert "pacemaker.node-offline" in seen.explained


def test_a_cluster_that_has_just_been_started_is_left_alone(look) -> None:
    young = node("starting", age=15)
    young["corosync.quorum"] = text("quorum-minority.txt")
    seen = look(ctl1=young)
    assert (seen.findings, seen.causes) == ({}, [])


def test_one_where_nobody_decides_after_minutes_is_not(look) -> None:
    old = node("starting", age=900)
    assert "pacemaker.no-dc" in look(ctl1=old).findings


def test_a_resource_that_failed_everywhere_is_a_cause(look) -> None:
    seen = look(**{name: node("failed") for name in NODES})
    found = seen.findings["pacemaker.resource.failed"]
    assert (found.severity, found.keys["resource"], found.keys["host"]) == (Severity.ERROR, "p_mysql", "ctl3")
    assert "[findif] failed" in found.message
    assert seen.causes == [("pacemaker-resource-failed", "ctl3")]


def test_a_failure_that_was_repaired_is_history(look) -> None:
    stopped = 'role="Stopped" active="false" orphaned="false" blocked="false" managed="true" failed="false"'
    runs = stopped.replace("Stopped", "Started").replace('active="false"', 'active="true"')
    was = node("failed")
    place = f'id="p_mysql" resource_agent="ocf:heartbeat:IPaddr2" {stopped}'
    assert place in was["pacemaker.status"]
    again = was["pacemaker.status"].replace(
        place + ' failure_ignored="false" nodes_running_on="0"/>',
        f'id="p_mysql" resource_agent="ocf:heartbeat:IPaddr2" {runs} failure_ignored="false" nodes_running_on="1">'
        '<node name="ctl2"/></resource>',
    )
    assert again != was["pacemaker.status"]
    found = look(ctl1={**was, "pacemaker.status": again}).findings
    # with one instance only, that runs
    assert "pacemaker.resource.failed" not in found


def test_what_an_operator_stopped_is_not_failed(look) -> None:
    was = node("failed")
    told = was["pacemaker.status"].replace('role="Stopped" active', 'role="Stopped" target_role="Stopped" active')
    assert look(ctl1={**was, "pacemaker.status": told}).findings == {}


def test_a_manager_that_ended_on_one_node_is_told_by_the_others(look) -> None:
    gone = node("healthy")
    gone["pacemaker.status"] = (102, "crm_mon: Connection to cluster failed: Connection refused\n")
    seen = look(ctl1=node("healthy"), ctl2=gone)
    assert seen.findings["pacemaker.down"].keys["host"] == "ctl2"
    alone = look(ctl2=gone)
    assert alone.findings == {}


def test_what_is_cut_off_is_the_one_that_is_lost_not_the_others(look, minority) -> None:
    lost = text("crm-healthy.xml").replace(
        '<node name="ctl1" id="1" online="true" standby="false" standby_onfail="false" maintenance="false"'
        ' pending="false" unclean="false"',
        '<node name="ctl1" id="1" online="false" standby="false" standby_onfail="false" maintenance="false"'
        ' pending="false" unclean="true"',
    )
    assert lost != text("crm-healthy.xml")
    others = {name: {**node("healthy"), "pacemaker.status": lost} for name in ("ctl2", "ctl3")}
    seen = look(ctl1=minority, **others)
    assert [f.keys["host"] for f in seen.every if f.id == "pacemaker.node-offline"] == ["ctl1"]
    assert seen.causes == [("pacemaker-quorum-or-fence", "ctl1")]


FENCED = (
    '<fence_history status="0"><fence_event action="reboot" target="ctl2" client="pacemaker-controld.41"'
    ' origin="ctl1" status="{0}" exit-reason="No route to host" completed="2026-11-22 21:59:20Z"/></fence_history>'
)


@pytest.mark.parametrize(("status", "found"), [("failed", True), ("success", False), ("pending", False)])
def test_a_node_that_could_not_be_fenced_holds_the_cluster_up(look, status, found) -> None:
    """The element is as Pacemaker 2.1 writes it (lib/fencing/st_output.c); the rest was recorded."""
    told = node("minority")
    told["pacemaker.status"] = told["pacemaker.status"].replace("</pacemaker-result>", "") + FENCED.format(status)
    told["pacemaker.status"] += "</pacemaker-result>\n"
    seen = look(ctl1=told)
    assert ("pacemaker.fencing.failed" in seen.findings) is found
    if found:
        assert seen.findings["pacemaker.fencing.failed"].keys["host"] == "ctl2"


def test_one_of_two_links_that_is_down_is_a_warning_and_the_only_one_is_not_that(look) -> None:
    one = text("cfg-minority.txt")
    second = one.split("\n", 1)[1].replace("LINK ID 0", "LINK ID 1").replace("disconnected", "connected")
    told = node("healthy")
    told["corosync.links"] = one + second
    found = [f for f in look(ctl1=told).every if f.id == "corosync.link.down"]
    assert [(f.keys["link"], f.keys["peer"]) for f in found] == [("0", "2"), ("0", "3")]
    told["corosync.links"] = one
    assert "corosync.link.down" not in look(ctl1=told).findings

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

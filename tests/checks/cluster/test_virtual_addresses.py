"""Two control nodes with keepalived and one virtual address."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stackdoctor.model import Severity, Status

CONF = (Path(__file__).parents[2] / "facts" / "samples" / "cluster" / "keepalived.conf").read_text()
CONF = CONF.replace("        192.0.2.110\n", "")
FILE = "keepalived.conf /etc/keepalived/keepalived.conf"
VIP = "192.0.2.100"


def addresses(own: str, *more: str, device: str = "eth0") -> str:
    rows = [{"family": "inet", "local": own, "prefixlen": 24, "scope": "global"}]
    extra = [{"family": "inet", "local": ip, "prefixlen": 24, "scope": "global", "secondary": True} for ip in more]
    links = [{"ifname": "eth0", "addr_info": rows + (extra if device == "eth0" else [])}]
    if device != "eth0":
        links.append({"ifname": device, "addr_info": extra})
    return json.dumps(links)


def node(processes: str, own: str, *more: str, conf: str = CONF, asked: str = "", device: str = "eth0") -> dict:
    neighbour = {"dst": VIP, "dev": "eth0", "state": [asked]}
    if asked == "REACHABLE":
        neighbour["lladdr"] = "02:00:00:00:00:09"
    return {
        FILE: conf,
        "pacemaker.addresses": Status.MISSING,
        "pacemaker.status": Status.MISSING,
        "addresses.host": addresses(own, *more, device=device),
        "netns.list": "",
        "neighbours.host": json.dumps([neighbour] if asked else []),
        "processes": processes,
    }


@pytest.fixture
def runs(processes) -> str:
    return processes("/usr/sbin/keepalived --dont-fork")


def peers(own: str) -> str:
    other = "192.0.2.12" if own == "192.0.2.11" else "192.0.2.11"
    return CONF.replace("    virtual_ipaddress", f"    unicast_peer {{\n        {other}\n    }}\n    virtual_ipaddress")


def test_an_address_on_one_of_two_nodes_is_right(look, runs) -> None:
    seen = look(ctl1=node(runs, "192.0.2.11", VIP), ctl2=node(runs, "192.0.2.12"))
    assert (seen.findings, seen.causes) == ({}, [])


def test_one_on_both_is_split(look, runs) -> None:
    seen = look(ctl1=node(runs, "192.0.2.11", VIP), ctl2=node(runs, "192.0.2.12", VIP))
    found = seen.findings["vip.split"]
    assert (found.severity, found.keys["ip"], found.keys["target_host"]) == (Severity.CRITICAL, VIP, "ctl2")
    assert VIP in found.evidence[0].line
    assert seen.causes == [("vip-missing-or-split", "ctl1")]


def test_one_on_the_loopback_of_a_real_server_is_not(look, runs) -> None:
    seen = look(ctl1=node(runs, "192.0.2.11", VIP), ctl2=node(runs, "192.0.2.12", VIP, device="lo"))
    assert seen.findings == {}


@pytest.mark.parametrize("failed", ["FAILED", "INCOMPLETE"])
def test_one_on_no_node_that_was_asked_for_in_vain_is_missing(look, runs, failed) -> None:
    seen = look(ctl1=node(runs, "192.0.2.11", asked=failed), ctl2=node(runs, "192.0.2.12"))
    assert seen.findings["vip.missing"].keys["host"] == "ctl2"
    assert seen.causes == [("vip-missing-or-split", "ctl2")]


@pytest.mark.parametrize(("used", "missing"), [(4, True), (86400, False)])
def test_one_that_was_asked_for_in_vain_a_day_ago_may_be_anywhere(look, runs, used, missing) -> None:
    failed = json.dumps([{"dst": VIP, "dev": "eth0", "state": ["FAILED"], "used": used, "updated": used, "probes": 6}])
    first = node(runs, "192.0.2.11") | {"neighbours.host": failed}
    assert ("vip.missing" in look(ctl1=first, ctl2=node(runs, "192.0.2.12")).findings) is missing


def test_one_that_only_the_named_peers_can_have_is_missing(look, runs) -> None:
    both = {
        "ctl1": node(runs, "192.0.2.11", conf=peers("192.0.2.11")),
        "ctl2": node(runs, "192.0.2.12", conf=peers("192.0.2.12")),
    }
    assert "vip.missing" in look(**both).findings
    assert look(ctl1=both["ctl1"]).findings == {}  # the peer was not looked at


def test_one_that_a_node_outside_of_the_inventory_may_have_is_not(look, runs) -> None:
    assert look(ctl1=node(runs, "192.0.2.11"), ctl2=node(runs, "192.0.2.12")).findings == {}
    heard = node(runs, "192.0.2.11", asked="REACHABLE")
    assert look(ctl1=heard, ctl2=node(runs, "192.0.2.12")).findings == {}


def test_a_file_that_nobody_uses_any_more_says_nothing(look, processes) -> None:
    unused = [node(processes(), f"192.0.2.1{i}", asked="FAILED") for i in (1, 2)]
    assert look(ctl1=unused[0], ctl2=unused[1]).findings == {}


def test_an_old_failure_says_nothing_where_another_node_had_an_answer_since(look, runs) -> None:
    found = {"ctl1": node(runs, "192.0.2.11", asked="FAILED")}
    assert "vip.missing" in look(**found).findings
    other = node(runs, "192.0.2.21", asked="STALE") | {FILE: Status.MISSING}
    assert "vip.missing" not in look(**found, compute1=other).findings

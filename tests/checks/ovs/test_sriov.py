"""Virtual functions.  The rows of ``ip -j -d link`` follow iproute2 ip/ipaddress.c (print_vfinfo)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from stackdoctor.checks.ovs.sriov import all_functions_used, function_without_link, no_functions

from stackdoctor.model import Severity

FILE = "/sys/class/net/eth1/device/sriov_{}"
MAC1, MAC2 = "fa:16:3e:1c:77:97", "fa:16:3e:2a:5c:02"
PS = (
    "    PID    PPID USER                 STAT                  STARTED ELAPSED %CPU %MEM   RSS NLWP WCHAN"
    "                    COMMAND\n"
    "  23901       1 neutron              S     Sun Nov 22 21:55:51 2026      60  0.3  0.1 15000    1 -"
    "                        /usr/bin/python3 /usr/bin/{} --config-file=/etc/neutron/neutron.conf\n"
)


def functions(cloud: Any, *states: tuple[str, str], made: int | None = None, flags: tuple[str, ...] = ()) -> None:
    """compute1's eth1 with a function for each MAC and link state, and its guests' cards passed through."""
    rows = json.loads(cloud.nodes["compute1"].results["links.host", ""].stdout)
    row = next(row for row in rows if row.get("ifname") == "eth1")
    row["vfinfo_list"] = [
        {
            "vf": index,
            "link_type": "ether",
            "address": mac,
            "broadcast": "ff:ff:ff:ff:ff:ff",
            "vlan_list": [{"vlan": 101}],
            "rate": {"max_tx": 0, "min_tx": 0},
            "spoofchk": True,
            "link_state": state,
            "trust": False,
            "query_rss_en": False,
        }
        for index, (mac, state) in enumerate(states)
    ]
    row["flags"] = list(flags or ("BROADCAST", "UP", "LOWER_UP"))
    cloud.say("compute1", "links.host", json.dumps(rows))
    cloud.say("compute1", "sriov.functions", f"{len(states) if made is None else made}\n", FILE.format("numvfs"))
    cloud.say("compute1", "sriov.functions", "8\n", FILE.format("totalvfs"))
    for name in ("instance-00000006", "instance-00000008"):
        cloud.swap("compute1", "libvirt.dumpxml", "<interface type='bridge'>", "<interface type='hostdev'>", name)


def test_functions_that_pass_frames_are_nothing(cloud: Any) -> None:
    functions(cloud, (MAC1, "auto"), (MAC2, "enable"), ("00:00:00:00:00:00", "auto"))
    assert cloud.find(function_without_link, all_functions_used) == []


@pytest.mark.parametrize(
    ("flags", "how"), [(("BROADCAST",), "card-down"), (("BROADCAST", "UP", "NO-CARRIER"), "no-carrier")]
)
def test_a_function_of_a_dead_card_is_an_error(cloud: Any, flags: tuple[str, ...], how: str) -> None:
    functions(cloud, (MAC1, "auto"), ("00:00:00:00:00:00", "auto"), (MAC2, "auto"), flags=flags)
    assert {(f.severity, f.keys["how"], f.keys["device"]) for f in cloud.find(function_without_link)} == {
        (Severity.ERROR, how, "eth1")
    }


def test_a_dead_card_without_guests_is_nothing(cloud: Any) -> None:
    functions(cloud, (MAC1, "auto"), (MAC2, "auto"), flags=("BROADCAST",))
    for name in ("instance-00000006", "instance-00000008"):
        cloud.stop_guest("compute1", name)
    assert cloud.find(function_without_link) == []


def test_a_function_that_was_disabled_is_a_warning_for_it_may_be_meant(cloud: Any) -> None:
    functions(cloud, (MAC1, "disable"), (MAC2, "auto"))
    found = cloud.one(function_without_link)
    assert (found.severity, found.keys["how"], found.keys["mac"]) == (Severity.WARNING, "disabled", MAC1)


def test_a_guest_whose_mac_no_function_has_is_a_warning(cloud: Any) -> None:
    functions(cloud, (MAC1, "auto"), ("00:00:00:00:00:00", "auto"))
    found = cloud.one(function_without_link)
    assert (found.severity, found.keys["how"], found.keys["mac"]) == (Severity.WARNING, "mac", MAC2)


def test_that_all_are_in_use_is_told(cloud: Any) -> None:
    functions(cloud, (MAC1, "auto"), (MAC2, "auto"))
    assert cloud.one(all_functions_used).severity is Severity.INFO


def test_no_function_at_all_is_an_error_where_the_agent_runs(cloud: Any) -> None:
    functions(cloud, made=0)
    cloud.say("compute1", "processes", PS.format("neutron-openvswitch-agent"))
    assert cloud.find(no_functions) == []
    cloud.say("compute1", "processes", PS.format("neutron-sriov-nic-agent"))
    assert cloud.one(no_functions).severity is Severity.ERROR

"""Two stations with one address; and neighbours that are only old, shared or moved."""

from __future__ import annotations

import json

from stackdoctor.checks.network.addresses import duplicate_address, orphaned_namespace, orphaned_tap

from stackdoctor.model import Severity

NETWORK = "8af4f28b-a650-4777-9df9-e50d1c68e83d"
NAMESPACE = "qrouter-c501d0eb-77af-42bd-970d-11e38055b813"
HOSTS = f"/var/lib/neutron/dhcp/{NETWORK}/host"
CHECKS = (duplicate_address, orphaned_namespace, orphaned_tap)
ROGUE = "02:00:00:00:66:66"


def answers(cloud, mac: str, state: str, ip: str = "10.10.0.189") -> None:
    """Another station answers the router for ``ip``."""
    rows = json.loads(cloud.text("controller", "neighbours.netns", NAMESPACE))
    entry = next(row for row in rows if row["dst"] == ip)
    entry.update(lladdr=mac, state=[state])
    if state in ("FAILED", "INCOMPLETE"):
        del entry["lladdr"]
    cloud.say("controller", "neighbours.netns", json.dumps(rows), NAMESPACE)


def hears(cloud, mac: str, device: str = "tap2a890d5f-e4", **more: str) -> None:
    """compute2's bridge has heard ``mac``."""
    row = {"mac": mac, "ifname": device, "flags": [], "master": "brq8af4f28b-a6", "state": "", **more}
    rows = json.loads(cloud.text("compute2", "bridges.fdb"))
    cloud.say("compute2", "bridges.fdb", json.dumps([*rows, row]))


def test_a_healthy_cloud_has_no_finding(cloud) -> None:
    assert cloud.find(*CHECKS) == []


def test_another_station_that_just_answered_is_a_duplicate(cloud) -> None:
    answers(cloud, ROGUE, "REACHABLE")
    found = cloud.one(*CHECKS)
    assert (found.id, found.severity) == ("network.duplicate-address", Severity.ERROR)
    assert (found.keys["ip"], found.keys["mac"], found.keys["owner"]) == ("10.10.0.189", ROGUE, "fa:16:3e:1c:77:97")


def test_the_duplicate_is_looked_for_where_a_bridge_heard_it(cloud) -> None:
    answers(cloud, ROGUE, "STALE")
    hears(cloud, ROGUE)
    found = cloud.one(*CHECKS)
    assert (found.keys["host"], found.keys["device"], found.node) == ("compute2", "tap2a890d5f-e4", "controller")


def test_an_old_entry_that_nobody_confirmed_is_no_duplicate(cloud) -> None:
    answers(cloud, "fa:16:3e:00:1c:2d", "STALE")
    assert cloud.find(*CHECKS) == []


def test_an_address_that_nobody_answers_for_is_no_duplicate(cloud) -> None:
    answers(cloud, ROGUE, "FAILED")
    assert cloud.find(*CHECKS) == []


def test_a_virtual_address_that_a_guest_answers_for_is_shared_on_purpose(cloud) -> None:
    hosts = cloud.text("controller", "dnsmasq.files", HOSTS)
    cloud.say("controller", "dnsmasq.files", hosts + "fa:16:3e:99:99:99,host-vip,10.10.0.190\n", HOSTS)
    answers(cloud, "fa:16:3e:e6:a9:90", "REACHABLE", "10.10.0.190")
    assert cloud.find(*CHECKS) == []


def test_a_station_of_vrrp_is_shared_on_purpose(cloud) -> None:
    answers(cloud, "00:00:5e:00:01:33", "REACHABLE")
    assert cloud.find(*CHECKS) == []


def test_a_stranger_with_the_address_of_a_port_that_is_nowhere_is_a_warning(cloud) -> None:
    hosts = cloud.text("controller", "dnsmasq.files", HOSTS)
    cloud.say("controller", "dnsmasq.files", hosts + "fa:16:3e:99:99:99,host-vip,10.10.0.190\n", HOSTS)
    answers(cloud, ROGUE, "REACHABLE", "10.10.0.190")
    assert cloud.one(*CHECKS).severity is Severity.WARNING


def test_two_interfaces_of_one_guest_answer_for_each_other(cloud) -> None:
    second = (
        "<interface type='bridge'><mac address='fa:16:3e:22:22:22'/><source bridge='brq8af4f28b-a6'/>"
        "<target dev='tap22222222-22'/></interface></devices>"
    )
    cloud.swap("compute1", "libvirt.dumpxml", "</devices>", second, "instance-00000006")
    answers(cloud, "fa:16:3e:22:22:22", "REACHABLE")
    assert cloud.find(duplicate_address) == []


def test_the_same_address_in_another_network_is_another_address(cloud) -> None:
    cloud.link("controller", "tap0cded1ee-8c", master="brq11111111-11")  # the router's port is elsewhere
    answers(cloud, ROGUE, "REACHABLE")
    assert cloud.find(duplicate_address) == []


def test_an_interface_on_the_bridge_with_a_guests_address_is_a_duplicate(cloud) -> None:
    row = {"ifindex": 2, "link_index": 99, "ifname": "rg", "flags": ["UP", "LOWER_UP"], "mtu": 1500, "operstate": "UP"}
    row |= {"link_type": "ether", "address": ROGUE, "link_netnsid": 0, "linkinfo": {"info_kind": "veth"}}
    lo = {"ifindex": 1, "ifname": "lo", "flags": ["LOOPBACK"], "mtu": 65536, "link_type": "loopback"}
    held = {"family": "inet", "local": "10.10.0.189", "prefixlen": 24, "scope": "global"}
    cloud.add_link(
        "compute2",
        ifname="rogue0",
        master="brq8af4f28b-a6",
        link_index=2,
        link_netnsid=1,
        linkinfo={"info_kind": "veth"},
    )
    cloud.add_namespace(
        "compute2",
        "rogue",
        {
            "links.netns": json.dumps([lo, row]),
            "addresses.netns": json.dumps([{"ifname": "rg", "addr_info": [held]}]),
            "neighbours.netns": "[]",
        },
    )
    found = cloud.one(duplicate_address)
    assert (found.node, found.keys["device"], found.keys["mac"]) == ("compute2", "rogue0", ROGUE)


def test_a_bridge_with_a_guests_address_is_a_duplicate(cloud) -> None:
    rows = json.loads(cloud.text("compute2", "addresses.host"))
    held = {"family": "inet", "local": "10.10.0.189", "prefixlen": 24, "scope": "global"}
    next(row for row in rows if row.get("ifname") == "brq8af4f28b-a6")["addr_info"].append(held)
    cloud.say("compute2", "addresses.host", json.dumps(rows))
    assert cloud.one(*CHECKS).keys["device"] == "brq8af4f28b-a6"


def test_a_host_that_has_its_own_address_on_a_provider_bridge_is_well(cloud) -> None:
    rows = json.loads(cloud.text("controller", "addresses.host"))
    held = {"family": "inet", "local": "203.0.113.10", "prefixlen": 24, "scope": "global"}
    next(row for row in rows if row.get("ifname") == "brq0b39e40c-e5")["addr_info"].append(held)
    cloud.say("controller", "addresses.host", json.dumps(rows))
    assert cloud.find(*CHECKS) == []


def test_an_empty_namespace_is_a_leftover(cloud) -> None:
    lo = {"ifindex": 1, "ifname": "lo", "flags": ["LOOPBACK"], "mtu": 65536, "link_type": "loopback"}
    cloud.add_namespace(
        "controller",
        "qrouter-00000000-0000-4000-8000-000000000002",
        {"links.netns": json.dumps([lo]), "addresses.netns": "[]", "neighbours.netns": "[]"},
    )
    assert [(f.id, f.severity) for f in cloud.find(*CHECKS)] == [("network.orphan.namespace", Severity.INFO)]


def test_a_tap_of_no_guest_is_a_leftover(cloud) -> None:
    cloud.add_link("compute1", ifname="tap99999999-99", linkinfo={"info_kind": "tun"})
    assert [(f.id, f.severity) for f in cloud.find(*CHECKS)] == [("network.orphan.tap", Severity.INFO)]

"""One thing broken in a healthy cloud gives one diagnosis: the cause, and the place."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from stackdoctor.checks.network import (
    addresses,
    bridging,
    dhcp,
    dhcp_guests,
    metadata,
    mtu,
    overlay,
    routers,
    translation,
    uplinks,
)

from stackdoctor.api import MARK
from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.playbook import load_playbooks

MODULES = (addresses, bridging, dhcp, dhcp_guests, metadata, mtu, overlay, routers, translation, uplinks)
CHECKS = [f for m in MODULES for f in vars(m).values() if hasattr(f, MARK) and f.__module__ == m.__name__]

QDHCP = "qdhcp-8af4f28b-a650-4777-9df9-e50d1c68e83d"
QROUTER = "qrouter-c501d0eb-77af-42bd-970d-11e38055b813"
HOSTS = "/var/lib/neutron/dhcp/8af4f28b-a650-4777-9df9-e50d1c68e83d/host"
CONTROLLER, COMPUTE1, COMPUTE2 = "controller", "compute1", "compute2"


def dead_dnsmasq(cloud: Any) -> None:
    cloud.swap(CONTROLLER, "dnsmasq.processes", "3364 S ", "3364 Z ")
    cloud.say(CONTROLLER, "netns.listen", cloud.text(CONTROLLER, "netns.listen", QDHCP).split("\n")[0], QDHCP)


def without_route(cloud: Any) -> None:
    cloud.edit(CONTROLLER, "routes.netns", lambda rows: [r for r in rows if r["dst"] != "default"], QROUTER)


def gateway_down(cloud: Any) -> None:
    cloud.down(CONTROLLER, "qg-4f884770-38", QROUTER)
    cloud.edit(CONTROLLER, "routes.netns", lambda rows: [r for r in rows if "qg-" not in r["dev"]], QROUTER)


def without_rules(cloud: Any, of: str) -> None:
    lines = cloud.text(CONTROLLER, "iptables.netns", QROUTER).splitlines()
    kept = [line for line in lines if not (line.startswith("[") and of in line)]
    assert len(kept) < len(lines)
    cloud.say(CONTROLLER, "iptables.netns", "\n".join(kept) + "\n", QROUTER)


def without_nat(cloud: Any) -> None:
    lines = cloud.text(CONTROLLER, "iptables.netns", QROUTER).splitlines()
    start = lines.index("*nat")
    kept = [*lines[:start], *(line for line in lines[start:] if not line.startswith("["))]
    cloud.say(CONTROLLER, "iptables.netns", "\n".join(kept) + "\n", QROUTER)


def without_proxy(cloud: Any) -> None:
    cloud.say(CONTROLLER, "netns.listen", cloud.text(CONTROLLER, "netns.listen", QROUTER).split("\n")[0], QROUTER)


def without_peer(cloud: Any) -> None:
    cloud.edit(COMPUTE1, "bridges.fdb", lambda rows: [r for r in rows if r.get("dst") != "192.168.200.10"])


def without_entry(cloud: Any) -> None:
    cloud.swap(CONTROLLER, "dnsmasq.files", "fa:16:3e:1c:77:97", "fa:16:3e:00:00:01", HOSTS)
    cloud.swap(CONTROLLER, "dnsmasq.files", "10.10.0.189", "10.10.0.188", HOSTS)


def without_bridge(cloud: Any) -> None:
    cloud.remove(COMPUTE1, "brq8af4f28b-a6")
    for name in ("vxlan-994", "tap30d5603c-42"):
        cloud.link(COMPUTE1, name, master=None)


def without_vlan(cloud: Any) -> None:
    info = {"info_kind": "vlan", "info_data": {"protocol": "802.1Q", "id": 101}}
    for node in cloud.nodes:
        cloud.link(node, "vxlan-994", ifname="eth2.101", linkinfo=info, link="eth2")
    cloud.remove(COMPUTE2, "eth2.101")


def another_station(cloud: Any) -> None:
    rows = json.loads(cloud.text(CONTROLLER, "neighbours.netns", QROUTER))
    next(row for row in rows if row["dst"] == "10.10.0.189").update(lladdr="02:00:00:00:66:66", state=["REACHABLE"])
    cloud.say(CONTROLLER, "neighbours.netns", json.dumps(rows), QROUTER)


FAULTS: dict[str, tuple[Callable[[Any], None], str, dict[str, str]]] = {
    "dnsmasq died": (dead_dnsmasq, "dhcp-dnsmasq-dead", {"node": CONTROLLER, "port": "af0c69a5-3e"}),
    "the DHCP interface is down": (
        lambda c: c.down(CONTROLLER, "ns-af0c69a5-3e", QDHCP),
        "dhcp-stale-namespace",
        {"node": CONTROLLER, "namespace": QDHCP, "device": "ns-af0c69a5-3e"},
    ),
    "a gateway interface is down": (gateway_down, "dhcp-stale-namespace", {"device": "qg-4f884770-38"}),
    "a guest has no host entry": (without_entry, "dhcp-host-entry-missing", {"mac": "fa:16:3e:1c:77:97"}),
    "a guest's tap is off": (
        lambda c: c.link(COMPUTE1, "tap30d5603c-42", master=None),
        "lb-tap-not-bridged",
        {"node": COMPUTE1, "port": "30d5603c-42", "instance": "fdcce5e0-9950-47f5-9e85-1d94c8730485"},
    ),
    "the DHCP server's tap is off": (
        lambda c: c.link(CONTROLLER, "tapaf0c69a5-3e", master=None),
        "lb-tap-not-bridged",
        {"node": CONTROLLER, "device": "tapaf0c69a5-3e"},
    ),
    "the bridge is gone": (without_bridge, "lb-tap-not-bridged", {"node": COMPUTE1, "device": "brq8af4f28b-a6"}),
    "a VLAN device is gone": (without_vlan, "lb-vlan-subif-missing", {"node": COMPUTE2, "vlan": "101"}),
    "a tunnel is down": (
        lambda c: c.down(COMPUTE1, "vxlan-994"),
        "overlay-link-down",
        {"node": COMPUTE1, "device": "vxlan-994"},
    ),
    "a tunnel is gone": (
        lambda c: c.remove(COMPUTE1, "vxlan-994"),
        "overlay-link-down",
        {"node": COMPUTE1, "device": "vxlan-994"},
    ),
    "the underlay is down": (
        lambda c: c.down(COMPUTE1, "eth2"),
        "overlay-link-down",
        {"node": COMPUTE1, "device": "eth2"},
    ),
    "a peer is missing": (without_peer, "vtep-fdb-missing", {"node": COMPUTE1, "peer": CONTROLLER, "vni": "994"}),
    "an underlay is too narrow": (
        lambda c: c.link(COMPUTE1, "eth2", mtu=1400),
        "mtu-blackhole",
        {"node": COMPUTE1, "device": "eth2", "mtu": "1400"},
    ),
    "the default route is gone": (without_route, "router-route-missing", {"node": CONTROLLER}),
    "the translation of sources is gone": (
        lambda c: without_rules(c, "-A neutron-l3-agent-snat "),
        "l3-nat-missing",
        {"node": CONTROLLER, "device": "qg-4f884770-38"},
    ),
    "a floating address is not translated": (
        lambda c: without_rules(c, "203.0.113.134"),
        "l3-nat-missing",
        {"node": CONTROLLER, "ip": "203.0.113.134"},
    ),
    "the table nat was flushed": (without_nat, "l3-nat-missing", {"node": CONTROLLER}),
    "the metadata proxy died": (without_proxy, "metadata-proxy-missing", {"node": CONTROLLER, "namespace": QROUTER}),
    "an address is used twice": (another_station, "duplicate-ip", {"ip": "10.10.0.189", "mac": "02:00:00:00:66:66"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_gives_one_diagnosis(cloud, fault: str) -> None:
    break_it, cause, where = FAULTS[fault]
    break_it(cloud)
    correlation = correlate(load_playbooks(), cloud.examine(*CHECKS))
    assert [diagnosis.cause for diagnosis in correlation.diagnoses] == [cause]
    found = correlation.diagnoses[0]
    assert where.items() <= found.where.items()
    assert not correlation.unexplained
    assert "<" not in found.title
    assert found.evidence


def test_a_healthy_cloud_gives_none(cloud) -> None:
    correlation = correlate(load_playbooks(), cloud.examine(*CHECKS))
    assert correlation.diagnoses == ()
    assert correlation.unexplained == ()


def with_second_network(cloud: Any, node: str) -> None:
    """Another network on the node, in VNI 995: a bridge with a router's tap, and a tunnel over eth2."""
    info = {"id": 995, "link": "eth2", "local": "192.168.200.20", "port": 8472, "learning": True}
    cloud.add_link(node, ifindex=90, ifname="brq11111111-11", linkinfo={"info_kind": "bridge"})
    cloud.add_link(node, ifindex=91, ifname="tap22222222-22", linkinfo={"info_kind": "tun"}, master="brq11111111-11")
    vxlan = {"info_kind": "vxlan", "info_data": info}
    cloud.add_link(node, ifindex=92, ifname="vxlan-995", linkinfo=vxlan, master="brq11111111-11")


def test_all_tunnels_of_a_node_are_one_diagnosis_with_the_networks_in_what_it_explains(cloud) -> None:
    with_second_network(cloud, COMPUTE1)
    for name in ("vxlan-994", "vxlan-995"):
        cloud.down(COMPUTE1, name)
    correlation = correlate(load_playbooks(), cloud.examine(*CHECKS))
    (diagnosis,) = correlation.diagnoses
    assert (diagnosis.cause, diagnosis.where["node"], diagnosis.where["device"]) == (
        "overlay-link-down",
        COMPUTE1,
        "eth2",
    )
    assert {f.keys.get("network") for f in diagnosis.explains} >= {"8af4f28b-a6", "11111111-11"}
    assert not correlation.unexplained


def test_one_tunnel_of_several_is_named_itself(cloud) -> None:
    with_second_network(cloud, COMPUTE1)
    cloud.down(COMPUTE1, "vxlan-994")
    (diagnosis,) = correlate(load_playbooks(), cloud.examine(*CHECKS)).diagnoses
    assert (diagnosis.cause, diagnosis.where["device"]) == ("overlay-link-down", "vxlan-994")


def test_an_underlay_address_that_is_gone_is_one_diagnosis_of_the_node(cloud) -> None:
    with_second_network(cloud, COMPUTE1)
    cloud.swap(COMPUTE1, "addresses.host", '"local":"192.168.200.20"', '"local":"192.168.200.120"')
    (diagnosis,) = correlate(load_playbooks(), cloud.examine(*CHECKS)).diagnoses
    assert (diagnosis.cause, diagnosis.where["device"]) == ("overlay-link-down", "eth2")


def test_all_taps_of_a_node_off_their_bridges_are_one_diagnosis(cloud) -> None:
    for name in ("tapaf0c69a5-3e", "tap0cded1ee-8c", "tap4f884770-38"):
        cloud.link(CONTROLLER, name, master=None)
    found = correlate(load_playbooks(), cloud.examine(*CHECKS))
    assert [(d.cause, d.where["device"]) for d in found.diagnoses] == [("lb-tap-not-bridged", "every tap")]
    assert not found.unexplained


def test_a_table_of_peers_that_was_flushed_is_one_diagnosis_of_the_node(cloud) -> None:
    rows = json.loads(cloud.text(COMPUTE1, "bridges.fdb"))
    kept = [r for r in rows if r["mac"] != "00:00:00:00:00:00"]
    cloud.say(COMPUTE1, "bridges.fdb", json.dumps(kept))
    (diagnosis,) = correlate(load_playbooks(), cloud.examine(*CHECKS)).diagnoses
    assert (diagnosis.cause, diagnosis.where["node"]) == ("vtep-fdb-missing", COMPUTE1)

"""DHCP servers that are none of Neutron's, on a network's bridge."""

from __future__ import annotations

import json
from typing import Any

from stackdoctor.checks.network.foreign_dhcp import blocked_server, foreign_server

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.playbook import load_playbooks

LOOPBACK = {
    "ifindex": 1,
    "ifname": "lo",
    "flags": ["LOOPBACK", "UP", "LOWER_UP"],
    "mtu": 65536,
    "link_type": "loopback",
}
HEAD = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
TCP = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"
LISTENS = 'udp UNCONN 0 0 0.0.0.0%{}:67 0.0.0.0:* users:(("dnsmasq",pid=812,fd=4))\n'


def add_server(cloud: Any, device: str, bridge: str) -> None:
    """A namespace with a DHCP server, joined to ``bridge``."""
    inner = {"ifindex": 2, "ifname": device, "link_index": 99, "link_netnsid": 0, "flags": ["UP", "LOWER_UP"]}
    inner |= {"mtu": 1450, "address": "02:00:00:00:00:67", "linkinfo": {"info_kind": "veth"}}
    listing = cloud.text("compute1", "netns.list") if ("netns.list", "") in cloud.nodes["compute1"].results else ""
    cloud.say("compute1", "netns.list", listing + "pxe (id: 77)\n")
    cloud.say("compute1", "links.netns", json.dumps([LOOPBACK, inner]), "pxe")
    cloud.say("compute1", "netns.listen", HEAD + LISTENS.format(device), "pxe")
    listen_on_the_host(cloud, "")
    cloud.add_link(
        "compute1", ifname="pxe0", link_index=2, link_netnsid=77, linkinfo={"info_kind": "veth"}, master=bridge
    )


def listen_on_the_host(cloud: Any, sockets: str) -> None:
    cloud.say("compute1", "sockets.tcp", TCP)
    cloud.say("compute1", "sockets.listening", HEAD + sockets)


def test_a_healthy_cloud_has_no_finding(cloud: Any) -> None:
    assert not cloud.find(foreign_server, blocked_server)


def test_a_server_in_a_namespace_on_the_networks_bridge_is_the_cause(cloud: Any) -> None:
    add_server(cloud, "eth0", "brq8af4f28b-a6")
    found = cloud.one(foreign_server)
    assert (found.keys["network"], found.keys["device"], found.keys["program"]) == ("8af4f28b-a6", "pxe0", "dnsmasq")
    (diagnosis,) = correlate(load_playbooks(), cloud.examine(foreign_server)).diagnoses
    assert (diagnosis.cause, diagnosis.where["device"]) == ("dhcp-rogue-server", "pxe0")


def test_a_server_on_another_bridge_is_nobodys_business(cloud: Any) -> None:
    cloud.add_link("compute1", ifname="virbr0", ifindex=98, linkinfo={"info_kind": "bridge"})
    add_server(cloud, "eth0", "virbr0")
    assert not cloud.find(foreign_server)


def test_a_server_on_the_host_bound_to_the_bridge_is_found_and_libvirts_is_not(cloud: Any) -> None:
    listen_on_the_host(cloud, LISTENS.format("virbr0"))
    assert not cloud.find(foreign_server)
    listen_on_the_host(cloud, LISTENS.format("brq8af4f28b-a6"))
    assert cloud.one(foreign_server).keys["device"] == "brq8af4f28b-a6"


def test_a_host_whose_own_sockets_may_not_be_read_is_not_looked_at(cloud: Any) -> None:
    cloud.say("compute1", "netns.list", "")
    cloud.forget("compute1", "sockets.listening")
    examination = cloud.examine(foreign_server)
    assert "compute1" in {missed.node for missed in examination.not_checked}


def test_a_guest_whose_answers_were_dropped_is_a_note(cloud: Any) -> None:
    lines = cloud.text("compute1", "iptables.save").splitlines()
    at = next(i for i, line in enumerate(lines) if "Prevent DHCP Spoofing" in line)
    lines[at] = "[9:3000]" + lines[at][lines[at].index("]") + 1 :]
    cloud.say("compute1", "iptables.save", "\n".join(lines) + "\n")
    found = cloud.one(blocked_server)
    assert (str(found.severity), found.count, found.keys["device"]) == ("info", 9, "tap30d5603c-42")

"""Tunnels through the nodes' own firewalls."""

from __future__ import annotations

from typing import Any

import pytest
from stackdoctor.checks.network.firewall import dropped_port
from stackdoctor.checks.network.overlay import down_tunnel, missing_peer
from stackdoctor.checks.network.tunnel_filter import filtered_tunnel

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.playbook import load_playbooks

RULES = "iptables.save"


def insert(cloud: Any, node: str, *rules: str, policy: str = "") -> None:
    """Rules before the others of the filter table, and another policy of INPUT."""
    lines = cloud.text(node, RULES).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("[") and i > lines.index("*filter"))
    lines[at:at] = [f"[7:980] {rule}" for rule in rules]
    if policy:
        lines = [f":INPUT {policy} [5:90]" if line.startswith(":INPUT ACCEPT") else line for line in lines]
    cloud.say(node, RULES, "\n".join(lines) + "\n")


def test_a_healthy_cloud_has_no_finding(cloud: Any) -> None:
    assert not cloud.find(filtered_tunnel)


@pytest.mark.parametrize(
    ("rule", "direction"),
    [
        ("-A INPUT -p udp -m udp --dport 8472 -j DROP", "from"),
        ("-A OUTPUT -p udp -m udp --dport 8472 -j DROP", "to"),
        ("-A INPUT -i eth2 -p udp -j REJECT --reject-with icmp-port-unreachable", "from"),
    ],
)
def test_a_rule_that_drops_the_tunnels_packets_is_the_cause(cloud: Any, rule: str, direction: str) -> None:
    insert(cloud, "compute1", rule)
    found = cloud.one(filtered_tunnel)
    assert (found.node, found.keys["direction"], found.keys["port"]) == ("compute1", direction, "8472")
    assert rule in found.evidence[0].line
    correlation = correlate(load_playbooks(), cloud.examine(filtered_tunnel, dropped_port, down_tunnel, missing_peer))
    assert [d.cause for d in correlation.diagnoses] == ["dhcp-request-lost-fabric"]
    assert correlation.diagnoses[0].where["node"] == "compute1"
    assert not correlation.unexplained


def test_a_policy_that_drops_counts_as_well(cloud: Any) -> None:
    insert(cloud, "compute1", "-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT", policy="DROP")
    assert cloud.one(filtered_tunnel).evidence[0].line == ":INPUT DROP [5:90]"


def test_one_peer_that_is_cut_off_is_named(cloud: Any) -> None:
    insert(cloud, "compute1", "-A INPUT -s 192.168.200.21/32 -p udp -m udp --dport 8472 -j DROP")
    found = cloud.one(filtered_tunnel)
    assert (found.count, found.keys["peer"]) == (1, "compute2")


@pytest.mark.parametrize(
    "rule",
    [
        "-A INPUT ! -s 192.168.200.0/24 -p udp -m udp --dport 8472 -j DROP",
        "-A INPUT -i eth0 -p udp -m udp --dport 8472 -j DROP",
        "-A INPUT -p udp -m udp --dport 4789 -j DROP",
        "-A INPUT -p udp -m udp --dport 8472 -m limit --limit 5/sec -j DROP",
    ],
)
def test_a_rule_against_strangers_cuts_no_tunnel(cloud: Any, rule: str) -> None:
    insert(cloud, "compute1", rule)
    assert not cloud.find(filtered_tunnel)


def test_a_firewall_that_lets_the_tunnels_in_is_healthy(cloud: Any) -> None:
    insert(cloud, "compute1", "-A INPUT -s 192.168.200.0/24 -p udp -m udp --dport 8472 -j ACCEPT", policy="DROP")
    assert not cloud.find(filtered_tunnel)


def test_a_node_whose_tunnels_nobody_needs_may_drop_them(cloud: Any) -> None:
    insert(cloud, "compute1", "-A INPUT -p udp -m udp --dport 8472 -j DROP")
    cloud.remove("compute1", "tap30d5603c-42")
    assert not cloud.find(filtered_tunnel)

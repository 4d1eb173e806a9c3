"""Security groups for IPv6, with the rules that ip6tables-save printed on a compute node (Zed, iptables 1.8.9)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stackdoctor.checks.network.security_groups import unused_chain
from stackdoctor.checks.network.security_groups_ipv6 import antispoof, unfiltered

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.playbook import load_playbooks
from stackdoctor.model import Severity

RULES = (Path(__file__).parent / "samples" / "ip6tables-save.txt").read_text()
HOSTS = "/var/lib/neutron/dhcp/8af4f28b-a650-4777-9df9-e50d1c68e83d/host"
INTO, OUT_OF, SPOOF = (f"neutron-linuxbri-{letter}30d5603c-4" for letter in "ios")
# agent/linux/iptables_firewall.py, _setup_spoof_filter_chain; no recording has a guest with a fixed IPv6 address
PAIR = (
    f"[0:0] -A {SPOOF} -s {{}}/128 -m mac --mac-source FA:16:3E:1C:77:97 -m comment"
    ' --comment "Allow traffic from defined IP/MAC pairs." -j RETURN\n'
    f'[0:0] -A {SPOOF} -m comment --comment "Drop traffic without an IP/MAC allow rule." -j DROP\n'
)


def say(cloud: Any, rules: str, address: str = "[2001:db8::189]") -> None:
    """The guest has an IPv6 address, and these are the rules of its node."""
    cloud.swap("controller", "dnsmasq.files", "10.10.0.189\n", f"10.10.0.189,{address}\n", HOSTS)
    cloud.say("compute1", "ip6tables.save", rules)


def without(*parts: str) -> str:
    kept = [x for x in RULES.splitlines() if not (x.startswith("[") and all(part in x for part in parts))]
    assert len(kept) < len(RULES.splitlines())
    return "\n".join(kept) + "\n"


def spoofing(address: str) -> str:
    jump = f"[0:0] -A {OUT_OF} -j {SPOOF}\n"
    lines = RULES.replace(f"[0:0] -A {OUT_OF} -j RETURN\n", jump)
    lines = lines.replace(":neutron-linuxbri-sg-chain", f":{SPOOF} - [0:0]\n:neutron-linuxbri-sg-chain", 1)
    at = lines.index("[57:3620] -A neutron-linuxbri-sg-chain")
    return lines[:at] + PAIR.format(address) + lines[at:]


def test_rules_as_the_agent_writes_them_are_healthy(cloud: Any) -> None:
    say(cloud, RULES)
    assert not cloud.find(unfiltered, antispoof)


@pytest.mark.parametrize(("chain", "direction"), [(INTO, "ingress"), (OUT_OF, "egress")])
def test_a_chain_that_nothing_jumps_to_is_a_hole(cloud: Any, chain: str, direction: str) -> None:
    say(cloud, without("sg-chain", f"-j {chain}"))
    found = cloud.one(unfiltered)
    assert (found.node, found.keys["direction"], found.severity) == ("compute1", direction, Severity.ERROR)
    (diagnosis,) = correlate(load_playbooks(), cloud.examine(unfiltered, unused_chain)).diagnoses
    assert (diagnosis.cause, diagnosis.where["device"]) == ("secgroup-not-enforced", "tap30d5603c-42")


def test_flushed_rules_are_a_hole_in_both_directions(cloud: Any) -> None:
    say(cloud, "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n")
    assert [found.keys["direction"] for found in cloud.find(unfiltered)] == ["ingress", "egress"]


def test_a_guest_without_an_ipv6_address_needs_none(cloud: Any) -> None:
    cloud.say("compute1", "ip6tables.save", without("sg-chain", f"-j {INTO}"))
    assert not cloud.find(unfiltered, antispoof)


def test_where_frames_do_not_go_through_ip6tables_the_rules_say_nothing(cloud: Any) -> None:
    say(cloud, without("sg-chain", f"-j {INTO}"))
    cloud.say("compute1", "bridges.netfilter", "0\n", "/proc/sys/net/bridge/bridge-nf-call-ip6tables")
    assert not cloud.find(unfiltered)


def test_the_guests_own_address_is_allowed(cloud: Any) -> None:
    say(cloud, spoofing("2001:db8::189"))
    assert not cloud.find(unfiltered, antispoof)


def test_another_address_in_the_antispoof_chain_is_the_cause(cloud: Any) -> None:
    say(cloud, spoofing("2001:db8::99"))
    found = cloud.one(antispoof)
    assert (found.keys["chain"], found.keys["ip"]) == (SPOOF, "2001:db8::189")
    (diagnosis,) = correlate(load_playbooks(), cloud.examine(antispoof)).diagnoses
    assert (diagnosis.cause, diagnosis.where["node"]) == ("antispoof-drop", "compute1")

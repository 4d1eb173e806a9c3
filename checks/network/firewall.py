"""Firewall rules that cut services off from each other."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Evidence, Finding, Severity, check
from stackdoctor.facts.iptables import Iptables
from stackdoctor.facts.iptables_rule import Rule
from stackdoctor.facts.reach import Reach

PORTS = {
    "5672": "AMQP",
    "5671": "AMQP with TLS",
    "3306": "MySQL",
    "4567": "Galera",
    "5000": "Keystone",
    "11211": "memcached",
    "3260": "iSCSI",
    "8472": "VXLAN",
    "4789": "VXLAN",
}
"""Ports that the services of a cloud need among themselves."""

SILENT = frozenset({"8472", "4789"})
"""Ports of protocols without connections: no socket shows that their packets are lost."""

PEERS = {"INPUT": "-s", "OUTPUT": "-d"}
"""What limits a rule to the other end, in the chains where it is sure which end that is."""

DIRECTIONS = {"--dport": "to", "--dports": "to", "--sport": "from", "--sports": "from"}


@check("firewall.drops-port", severity=Severity.WARNING)
def dropped_port(iptables: Iptables, reach: Reach) -> Iterator[Finding]:
    """A rule of the host's firewall has dropped or rejected packets of a service's port.

    By itself it is a note: a firewall keeps strangers out.  It is the cause where a service gets no answer over
    that port.  Lost packets of a tunnel show nowhere else, so that those are a warning.  `peer_ip` is the one host
    that the rule is about, `any` where it may be more.
    """
    for chain in iptables.tables["filter"].chains.values() if "filter" in iptables.tables else ():
        if chain.name.startswith("neutron-"):
            continue
        for rule in chain.rules:
            if rule.target in ("DROP", "REJECT") and rule.packets:
                yield from _findings(rule, reach.node)


def _findings(rule: Rule, node: str) -> Iterator[Finding]:
    for match in rule.matches:
        for option in match.options:
            for port in option.values[0].split(",") if option.name in DIRECTIONS and option.values else ():
                if port in PORTS and not option.negated:
                    direction = DIRECTIONS[option.name]
                    yield Finding(
                        f"{rule.chain} {rule.number}",
                        f"a rule in {rule.chain} has dropped {rule.packets} packets {direction} port {port}"
                        f" ({PORTS[port]})",
                        severity=None if port in SILENT else Severity.INFO,
                        evidence=Evidence(node, "iptables-save -c", rule.line),
                        count=rule.packets,
                        host=node,
                        port=port,
                        direction=direction,
                        chain=rule.chain,
                        peer_ip=_peer(rule),
                    )


def _peer(rule: Rule) -> str:
    named = PEERS.get(rule.chain)
    options = (o for m in rule.matches for o in m.options if o.name == named and not o.negated and o.values)
    address, _, bits = next((o.values[0] for o in options), "").partition("/")
    return address if address and bits in ("", "32", "128", "255.255.255.255") else "any"

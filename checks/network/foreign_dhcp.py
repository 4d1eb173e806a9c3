"""DHCP servers on a network's bridge that are none of Neutron's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackdoctor.checks.network.segments import Interfaces

from stackdoctor.api import Evidence, Finding, Severity, check
from stackdoctor.facts.iptables import Iptables
from stackdoctor.facts.links import Link, Links
from stackdoctor.facts.namespaces import Listeners
from stackdoctor.facts.neutron_names import dhcp_namespace, network_prefix_of, port_prefix_of
from stackdoctor.facts.reach import Reach
from stackdoctor.facts.sockets import Sockets

SERVER = ("udp", 67)
SCOPE = re.compile(r"%([^\s%:]{1,15}):67\b")
SPOOFING = "Prevent DHCP Spoofing by VM."
"""The comment of the rule that keeps guests from answering (agent/linux/iptables_comments.py)."""


@check("dhcp.server.foreign", severity=Severity.ERROR)
def foreign_server(links: Links, sockets: Sockets, listeners: Listeners | None) -> Iterator[Finding]:
    """Something that is not the network's DHCP server waits for DHCP requests on the network's bridge.

    It may be a DHCP server that somebody runs in a namespace, or on the host itself, bound to the bridge.  Who
    answers first wins: guests get its addresses and its gateway.  What only hands requests on (a relay) waits there
    as well.
    """
    interfaces = Interfaces(links)
    for listener in listeners.listeners if listeners is not None else ():
        if (listener.protocol, listener.port) != SERVER:
            continue
        for link in interfaces.within(listener.namespace):
            tap = links.peer(link) if link.kind == "veth" else None
            network = network_prefix_of(tap.master) if tap is not None else None
            own = network is not None and listener.namespace.startswith(dhcp_namespace(network))
            bound = listener.interface or link.name
            if tap is None or network is None or own or bound != link.name or port_prefix_of(link.name):
                continue
            where = f"{listener.process or 'a program'} in namespace {listener.namespace}"
            yield _foreign(network, tap, where, (listener.evidence, tap.evidence), listener.process, link.mac)
    for socket in sockets.listening(67, "udp"):
        scope = SCOPE.search(socket.evidence.line)
        bridge = interfaces.named(scope[1]) if scope is not None else None
        network = network_prefix_of(bridge.name) if bridge is not None else None
        if bridge is not None and network is not None:
            who = socket.program or "a program"
            yield _foreign(network, bridge, who, (socket.evidence,), socket.program, bridge.mac)


def _foreign(network: str, device: Link, who: str, shown: tuple[Evidence, ...], program: str, mac: str) -> Finding:
    return Finding(
        device,
        f"{who} waits for DHCP requests on {device.master or device.name}, and is not the network's DHCP server",
        evidence=shown,
        host=device.evidence.node,
        device=device.name,
        network=network,
        program=program,
        mac=mac,
    )


@check("secgroup.dhcp.server-blocked", severity=Severity.INFO)
def blocked_server(iptables: Iptables, links: Links, reach: Reach) -> Iterator[Finding]:
    """A guest has answered DHCP requests of others, and Neutron's rule against that has dropped its answers.

    Nobody was harmed; it says which guest runs a DHCP server, should another one without port security do so too.
    """
    table = iptables.tables.get("filter")
    for chain in table.chains.values() if table is not None else ():
        if not chain.name.startswith(("neutron-linuxbri-o", "neutron-openvswi-o")):
            continue
        for rule in chain.rules:
            if rule.packets and rule.target == "DROP" and rule.comment == SPOOFING and "--dport 68" in rule.line:
                tap = next((x for x in links.within("") if x.name.startswith("tap" + chain.name[-10:])), None)
                yield Finding(
                    chain.name,
                    f"{rule.packets} DHCP answers of a guest were dropped in {chain.name}",
                    evidence=Evidence(reach.node, "iptables-save -c", rule.line),
                    count=rule.packets,
                    host=reach.node,
                    chain=chain.name,
                    device=tap.name if tap is not None else None,
                    port=port_prefix_of(tap.name) if tap is not None else None,
                )

"""What the packet filter of a node does to the packets that a path is asked about: security groups, metadata."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace

from stackdoctor.errors import UsageError
from stackdoctor.facts.bridges import BridgeNetfilter
from stackdoctor.facts.ipset import IpSets
from stackdoctor.facts.iptables import Iptables, Rule
from stackdoctor.facts.neutron_names import LINUXBRIDGE_CHAINS, OPENVSWITCH_CHAINS, port_chain_of
from stackdoctor.firewall.packet import Address, Packet
from stackdoctor.firewall.ports import PortFilter, from_port, to_port
from stackdoctor.firewall.traverse import traverse
from stackdoctor.firewall.verdict import Verdict
from stackdoctor.firewall.walk import nat
from stackdoctor.model import Evidence
from stackdoctor.trace.endpoints import Endpoint
from stackdoctor.trace.hops import Hop, Proof
from stackdoctor.trace.wiring import Site

__all__ = ["BROADCAST", "METADATA", "Exchange", "dhcp", "metadata", "ping", "redirect_hop", "security_group_hop"]

METADATA = "169.254.169.254"
BROADCAST = "ff:ff:ff:ff:ff:ff"
NOTHING_TRANSLATED: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Exchange:
    """A packet that one end sends and the answer to it, with their names; devices are filled in where they pass."""

    request: Packet
    answer: Packet
    request_name: str
    answer_name: str


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _ipv4(end: Endpoint) -> Address | None:
    found = [a for a in map(_address, end.addresses) if a is not None and a.version == 4]
    return found[0] if found else None


def dhcp(guest: Endpoint, server: Endpoint | None) -> Exchange:
    """DISCOVER as a broadcast, and the OFFER to the address that the guest gets (RFC 2131, section 4.1)."""
    zero, every = ipaddress.ip_address("0.0.0.0"), ipaddress.ip_address("255.255.255.255")
    request = Packet("udp", zero, every, 68, 67, src_mac=guest.mac, dst_mac=BROADCAST)
    source = _ipv4(server) if server else None
    answer = Packet(
        "udp", source, _ipv4(guest), 67, 68, src_mac=server.mac if server else None, dst_mac=guest.mac, ctstate="NEW"
    )
    return Exchange(request, answer, "DHCP request", "DHCP reply")


def ping(one: Endpoint, other: Endpoint | None, address: str = "") -> Exchange:
    """An echo request and its reply."""
    target = _address(address) or (_ipv4(other) if other else None)
    request = Packet(
        "icmp", _ipv4(one), target, icmp_type=8, icmp_code=0, src_mac=one.mac, dst_mac=other.mac if other else None
    )
    return Exchange(request, _reply(request, icmp_type=0), "ping", "reply to a ping")


def metadata(guest: Endpoint, router: Endpoint | None) -> Exchange:
    """The start of a request to the metadata address, and the answer to it."""
    request = Packet(
        "tcp",
        _ipv4(guest),
        ipaddress.ip_address(METADATA),
        40000,
        80,
        tcp_flags=frozenset({"SYN"}),
        src_mac=guest.mac,
        dst_mac=router.mac if router else None,
    )
    answer = replace(_reply(request), tcp_flags=frozenset({"SYN", "ACK"}))
    return Exchange(request, answer, "request for metadata", "answer with metadata")


def _reply(request: Packet, icmp_type: int | None = None) -> Packet:
    return replace(
        request,
        src=request.dst,
        dst=request.src,
        sport=request.dport,
        dport=request.sport,
        icmp_type=icmp_type,
        src_mac=request.dst_mac,
        dst_mac=request.src_mac,
        ctstate="ESTABLISHED",
        ctnat=NOTHING_TRANSLATED,
    )


def security_group_hop(site: Site, end: Endpoint, packet: Packet, bridge: str, opposite: str, name: str) -> Hop:
    """What the rules for a guest's tap make of ``packet``, which goes between it and the bridge's port ``opposite``."""
    return Hop(site.name, "security group", "security group", (_filtered(site, end, packet, bridge, opposite, name),))


def _filtered(site: Site, end: Endpoint, packet: Packet, bridge: str, opposite: str, name: str) -> Proof:
    rules = site.fact(PortFilter)
    if rules is None:
        return Proof(None, f"{name}: rules not known: {site.why_not(PortFilter)}")
    port = next((port for port in rules.ports if port.device == end.device), None)
    if port is None:
        return Proof(None, f"{name}: there is no {end.device} that rules could be about")
    if port.filtered is False:
        switches = site.fact(BridgeNetfilter)
        at = switches.evidence if switches else None
        return Proof(True, f"{name} not filtered: what bridges forward does not pass iptables", at)
    there = replace(port, bridge=bridge)
    if packet.src_mac == end.mac:
        asked = next(iter(from_port(there, replace(packet, physdev_out=opposite or None))))
    else:
        asked = next(iter(to_port(there, replace(packet, physdev_in=opposite or None))))
    try:
        verdict = traverse(rules.firewall, asked, "forward")
    except UsageError as error:
        return Proof(None, f"{name}: {error}")
    return _told(site, verdict, end.device, name)


def _told(site: Site, verdict: Verdict, port: str, name: str) -> Proof:
    deciding = _deciding(verdict, port)
    at = f", {_short(deciding.chain)} rule {deciding.number}" if deciding else ""
    evidence = Evidence(site.name, "iptables-save -c", deciding.line) if deciding else None
    if verdict.passes:
        return Proof(True, f"{name} passes{at or ', no rule is about it'}", evidence)
    if verdict.passes is None:
        return Proof(None, f"{name}: {verdict.reasons[0] if verdict.reasons else 'may pass'}", evidence)
    return Proof(False, f"{name} is dropped{at}", evidence)


def _short(chain: str) -> str:
    """A chain's name without what every chain of the agent begins with."""
    for prefix in (LINUXBRIDGE_CHAINS, OPENVSWITCH_CHAINS):
        chain = chain.removeprefix(f"{prefix}-")
    return chain


def _deciding(verdict: Verdict, port: str) -> Rule | None:
    """The rule that drops the packet; of those that let it pass, the last one in a chain of the port."""
    if not verdict.passes:
        return verdict.rule
    prefix = port[3:13]
    rules = [step.rule for step in verdict.path if step.rule is not None and step.table == "filter"]
    own = [rule for rule in rules if (port_chain_of(rule.chain) or ("", ""))[1] == prefix]
    return own[-1] if own else None


def redirect_hop(site: Site, router: Endpoint, packet: Packet) -> tuple[Hop, int | None]:
    """Where the router's namespace sends what is for the metadata address, and the port."""

    def hop(holds: bool | None, text: str, line: str = "") -> Hop:
        evidence = Evidence(site.name, f"ip netns exec {router.namespace} iptables-save -c", line) if line else None
        return Hop(site.name, "redirect", "nat PREROUTING", (Proof(holds, text, evidence),))

    tables = site.fact(Iptables)
    inside = tables.namespaces.get(router.namespace) if tables else None
    if inside is None:
        why = tables.unread.get(router.namespace, "not asked") if tables else site.why_not(Iptables)
        return hop(None, f"rules not known: {why}"), None
    asked = replace(packet, in_iface=router.inner, is_bridged=False, physdev_in="", physdev_out="")
    verdict = nat(inside, site.fact(IpSets), asked)
    rule = verdict.rule
    if not verdict.certain:
        return hop(None, verdict.reasons[0] if verdict.reasons else "it may be redirected"), None
    if rule is None or rule.target != "REDIRECT":
        return hop(False, f"nothing redirects {METADATA} to the proxy"), None
    port = rule.target_args[-1] if rule.target_args else ""
    return hop(True, f"{METADATA}:80 redirected to {port}", rule.line), int(port) if port.isdecimal() else None

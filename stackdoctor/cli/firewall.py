"""`stackdoctor firewall`: what a node's rules do to one packet of a port, and by which rule."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from stackdoctor.cli.look import Looking, look
from stackdoctor.cli.options import node_options, run_options
from stackdoctor.cli.source import read_sources, source_option
from stackdoctor.diagnose.knowledge import Knowledge
from stackdoctor.diagnose.registry import Check, Need
from stackdoctor.errors import CouldNotCheck, NotApplicable, NothingCollected, UsageError
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.bridges import BridgeNetfilter
from stackdoctor.facts.dnsmasq import Dnsmasq
from stackdoctor.facts.fact import Fact
from stackdoctor.facts.ipset import IpSets
from stackdoctor.facts.iptables import Ip6tables, Iptables
from stackdoctor.firewall.packet import Packet, parse_packet
from stackdoctor.firewall.ports import PortFilter, from_port, read, to_port
from stackdoctor.firewall.traverse import traverse
from stackdoctor.firewall.verdict import Verdict, describe
from stackdoctor.firewall.walk import Firewall
from stackdoctor.model import NodeResults, Severity
from stackdoctor.report.hostile import plain
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.trace.port import CloudPort, every_port, find_port

__all__ = ["command"]

SCHEMA = "stackdoctor/firewall/1"


@click.command("firewall")
@click.argument("wanted", metavar="PORT")
@click.option("--packet", "text", required=True, help='"udp 172.16.0.100:67 > 172.16.0.105:68", "icmp ? > 10.0.0.5".')
@node_options
@source_option
@run_options
@click.option("--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True)
def command(wanted: str, text: str, sources: tuple[Path, ...], form: str, **options: Any) -> int:
    """Say what the rules of PORT's node do to a packet to or from it, and by which rule.

    PORT is a port's id or its beginning, a tap, an instance's id or name, an IP or MAC address, or NODE:TAP.
    What the packet leaves open is filled in: bridge, tap, the way in or out, MAC. No packet is sent.

    Exit status: 0 accepted (or "may": it says what is not known), 1 dropped or rejected, 2 wrong use,
    3 the rules could not be read.
    """
    packet = parse_packet(text)
    snapshot = _snapshot(sources, Looking(**options), packet)
    ports = every_port(snapshot.nodes)
    port = find_port(ports, wanted)
    node = next(n for n in snapshot.nodes if n.node.name == port.place.node)
    firewall = _firewall(node, packet)
    verdict = _verdict(firewall, _filled(packet, port, ports))
    passed_by = _passed_by(node, port, packet, verdict)
    if form == "json":
        click.echo(json.dumps(_json(port, verdict, not passed_by), indent=2))
    else:
        for line in (str(port), _in_short(verdict), *([passed_by] if passed_by else []), *describe(verdict)):
            click.echo(plain(line))
    return 1 if verdict.passes is False and not passed_by else 0


def _snapshot(sources: tuple[Path, ...], looking: Looking, packet: Packet) -> Snapshot:
    knowledge = _knowledge(packet)
    return read_sources(sources, looking, knowledge) if sources else look(looking, knowledge)


def _knowledge(packet: Packet) -> Knowledge:
    """What has to be collected, as the needs of one check that nobody runs."""
    facts: list[type[Fact]] = [PortFilter, Dnsmasq, Addresses, *([Ip6tables] if packet.version == 6 else [])]
    needs = tuple(Need(fact.__name__.lower(), fact, cloud=False, optional=True) for fact in facts)
    return Knowledge((Check("firewall", Severity.INFO, "", needs, lambda: iter(()), __name__),), (), ())


def _firewall(node: NodeResults, packet: Packet) -> Firewall:
    kind = Ip6tables if packet.version == 6 else Iptables
    try:
        return Firewall(kind.parse(node), read(IpSets, node))
    except (CouldNotCheck, NotApplicable) as error:
        raise NothingCollected(f"the rules of {node.node.name} could not be read: {error}") from error


def _filled(packet: Packet, port: CloudPort, ports: Iterable[CloudPort]) -> list[Packet]:
    """The packet with what it left open, once for each way that it may take through the bridge."""
    place = port.place
    if packet.is_bridged is False:
        return [packet]
    for physdev, interface in (("physdev_in", "in_iface"), ("physdev_out", "out_iface")):
        device = getattr(packet, interface)
        if device in (place.device, *place.uplinks) and getattr(packet, physdev) is None:
            packet = replace(packet, **{physdev: device, interface: None})
    if _is_to(packet, port):
        into = packet.physdev_in or _device_of(packet.src, port, ports)
        return list(to_port(place, replace(packet, physdev_in=into)))
    out = packet.physdev_out or _device_of(packet.dst, port, ports)
    return list(from_port(place, replace(packet, physdev_out=out)))


def _is_to(packet: Packet, port: CloudPort) -> bool:
    place = port.place
    for to, from_ in (
        (packet.physdev_out == place.device, packet.physdev_in == place.device),
        (str(packet.dst) in port.addresses, str(packet.src) in port.addresses),
        (bool(place.mac) and packet.dst_mac == place.mac, bool(place.mac) and packet.src_mac == place.mac),
        (False, packet.src is not None and packet.src.is_unspecified),
    ):
        if to or from_:
            return to
    raise UsageError(
        f"neither end of the packet is an address of {port}: add `out {place.device}` for a packet to it,"
        f" or `in {place.device}` for one from it"
    )


def _device_of(address: object, port: CloudPort, ports: Iterable[CloudPort]) -> str | None:
    """The tap of the other end where it is on the same bridge of the same node."""
    here = (p for p in ports if (p.place.node, p.place.bridge) == (port.place.node, port.place.bridge))
    return next((p.place.device for p in here if p is not port and str(address) in p.addresses), None)


def _verdict(firewall: Firewall, packets: list[Packet]) -> Verdict:
    """The verdict for all ways in or out of the bridge: of one where they agree, else with the way left open."""
    verdicts = [traverse(firewall, packet) for packet in packets]
    first = packets[0]
    if len({(v.outcome, v.rule) for v in verdicts}) == 1:
        return verdicts[0]
    into = len({packet.physdev_in for packet in packets}) > 1
    return traverse(firewall, replace(first, physdev_in=None) if into else replace(first, physdev_out=None))


def _passed_by(node: NodeResults, port: CloudPort, packet: Packet, verdict: Verdict) -> str:
    """Why the rules do not count for a bridged frame on this node; empty where they do."""
    netfilter = read(BridgeNetfilter, node)
    filtered = port.place.filtered if packet.version != 6 else netfilter is None or netfilter.ip6tables
    if filtered is not False or not verdict.packet.is_bridged:
        return ""
    name = "bridge-nf-call-ip6tables" if packet.version == 6 else "bridge-nf-call-iptables"
    return f"{name} is off on {node.node.name}: bridged frames pass without meeting these rules"


def _in_short(verdict: Verdict) -> str:
    if not verdict.certain:
        return f"may: {' or '.join(sorted(verdict.possible))}, by what is not known of the packet"
    by = f"rule {verdict.rule.number} of {verdict.rule.chain}: {verdict.rule.line}" if verdict.rule else "policy"
    return f"{verdict.outcome}: by {by}"


def _json(port: CloudPort, verdict: Verdict, filtered: bool) -> dict[str, object]:
    place = port.place
    rule = verdict.rule
    return {
        "schema": SCHEMA,
        "port": {
            "node": place.node,
            "device": place.device,
            "port": place.port,
            "bridge": place.bridge,
            "mac": place.mac,
            "addresses": list(port.addresses),
            "instance": place.instance,
            "name": place.nova_name,
            "server": place.server_id,
        },
        "packet": str(verdict.packet),
        "filtered": filtered,
        "verdict": verdict.outcome,
        "certain": verdict.certain,
        "possible": sorted(verdict.possible),
        "rule": None if rule is None else {"chain": rule.chain, "number": rule.number, "line": rule.line},
        "path": [
            {
                "table": step.table,
                "chain": step.chain,
                "rule": step.rule.line if step.rule else None,
                "action": step.action,
                "matched": step.matched,
                "unknown": list(step.unknown),
            }
            for step in verdict.path
        ],
        "reasons": list(verdict.reasons),
    }

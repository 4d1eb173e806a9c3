"""Security groups in iptables: chains that are not used, that drop what they should let in, or that others changed.

Each finding is proved with a packet that is sent through the rules as they are listed, except where the listing
alone shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from stackdoctor.checks.network.guest_ports import about_port, filtered_guests, leases_of, offers

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.dnsmasq import Dnsmasq
from stackdoctor.facts.iptables import Chain, Rule
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.neutron_names import chain
from stackdoctor.firewall.packet import Packet, parse_packet
from stackdoctor.firewall.ports import BridgedPort, Drop, PortFilter, from_port, head, to_port
from stackdoctor.firewall.verdict import Ending
from stackdoctor.firewall.walk import decide

DIRECTIONS = {"i": "ingress", "o": "egress"}
ANY = Packet(mark=0)
PING = parse_packet("icmp ? > ? type 8 code 0 mark 0")

OWN_COMMENTS = (
    "Drop packets that appear related",
    "Drop traffic without an IP/MAC allow rule",
    "Prevent DHCP Spoofing",
    "Drop IPv6 Router Advts",
)
"""How the comments of the rules begin by which Neutron itself drops (agent/linux/iptables_comments.py)."""


@check("secgroup.chain.unjumped", severity=Severity.ERROR)
def unused_chain(found: PortFilter) -> Iterator[Finding]:
    """A guest's security group is in a chain, and the packets that it is for never come by: they pass unfiltered.

    The jump into the chain is gone, or a rule before it accepts everything.
    """
    for port in filtered_guests(found):
        for letter, direction in DIRECTIONS.items():
            own = found.chain(port, letter)
            passing = passing_by(found, port, letter, own) if own is not None else None
            if own is None or passing is None:
                continue
            accepts = found.decided_by(passing)
            if found.is_trusted(port) and accepts.chain.startswith("neutron-"):
                continue
            yield about_port(
                port,
                f"what {'is sent to' if letter == 'i' else 'comes from'} {port} never goes through {own.name}:"
                f" {accepts.line} accepts it, no security group is applied",
                (head(own), accepts.line),
                chain=own.name,
                direction=direction,
            )


@check("secgroup.chain.missing", severity=Severity.ERROR)
def missing_chain(found: PortFilter, cloud: Cloud[PortFilter], domains: Domains) -> Iterator[Finding]:
    """A running guest's port has no chain for its security group, and its packets pass unfiltered.

    Ports whose port security is off have none either, and a rule of Neutron's that accepts them; where nothing
    on the node is filtered with iptables, no port has one.  A warning where only other nodes are filtered so, and
    this one has no sets of Neutron's either, which a flush of the rules leaves behind.
    """
    # Domains is asked for so that a libvirt that did not answer is "could not check", and not healthy.
    agents = found.agents or next((other.agents for _, other in cloud if other.agents), ())
    for port in filtered_guests(found) if agents else ():
        # An agent takes a moment to wire a port; Nova keeps the guest paused meanwhile.
        if not (port.mac and port.running and port.bridge.startswith(("brq", "qbr"))) or found.is_trusted(port):
            continue
        for letter, direction in DIRECTIONS.items():
            if found.chain(port, letter) is not None or passing_by(found, port, letter, None) is None:
                continue
            name = chain(port.port, letter, agents[0])
            yield about_port(
                port,
                f"{port} has no chain {name}: what {'it is sent' if letter == 'i' else 'it sends'} passes unfiltered",
                (),
                severity=None if found.agents or _has_sets(found) else Severity.WARNING,
                chain=name,
                direction=direction,
            )


def _has_sets(found: PortFilter) -> bool:
    sets = found.firewall.sets
    return sets is not None and any(name.startswith(("NIPv4", "NIPv6")) for name in sets.sets)


def passing_by(found: PortFilter, port: BridgedPort, letter: str, own: Chain | None) -> Ending | None:
    """How packets of a port are accepted without its chain; None where that cannot be said of all ways."""
    accepted: Ending | None = None
    for packet in (to_port if letter == "i" else from_port)(port, ANY):
        verdict = decide(found.firewall, packet)
        names = {own.name, *(f"{agent}-sg-chain" for agent in found.agents)} if own is not None else set()
        if any(reason.endswith(f"-j {name}") for reason in verdict.reasons for name in names):
            return None
        if own is not None and any(step.chain == own.name for ending in verdict.endings for step in ending.path):
            return None
        accepted = next((ending for ending in verdict.endings if ending.outcome == "accept"), None)
        if accepted is None:
            return None
    return accepted


@check("secgroup.antispoof.mismatch", severity=Severity.ERROR)
def antispoof_of_another(found: PortFilter, domains: Domains, dnsmasq: Cloud[Dnsmasq] | None) -> Iterator[Finding]:
    """A guest's anti-spoofing chain allows another MAC or address than the guest has: all that it sends is dropped.

    The MAC is libvirt's, the address the one that the guest gets by DHCP.
    """
    served = offers(dnsmasq)
    for port in filtered_guests(found):
        allowed = found.chain(port, "s")
        if allowed is None or not port.mac:
            continue
        kind, drop = "mac", found.dropped(from_port(port, PING))
        leases = leases_of(port, served)
        if drop is None:
            each = [found.dropped(from_port(port, replace(PING, src=lease.address))) for lease in leases]
            kind, drop = "address", each[0] if each and all(each) else None
        if drop is None or drop.chain != allowed.name:
            continue
        pairs = [rule for rule in allowed.rules if rule.target == "RETURN"]
        what = f"the MAC {port.mac}" if kind == "mac" else f"the address that {port.mac} gets by DHCP"
        yield about_port(
            port,
            f"{allowed.name} does not allow {what} of {port}: what the guest sends is dropped",
            (*(rule.line for rule in pairs[:3]), drop.line),
            ip=leases[0].address if leases else None,
            chain=allowed.name,
            direction="egress",
            kind=kind,
            allowed=_macs(pairs),
        )


@check("secgroup.rule.shadowed", severity=Severity.WARNING)
def shadowed_rules(found: PortFilter) -> Iterator[Finding]:
    """A rule that is not Neutron's drops packets in a guest's chain before the rules of its security group."""
    for port in filtered_guests(found):
        for letter in "ios":
            own = found.chain(port, letter)
            for rule in own.rules[:-1] if own is not None else ():
                if rule.packets and rule.target in ("DROP", "REJECT") and not _is_neutrons(rule, letter):
                    yield about_port(
                        port,
                        f"a rule in {rule.chain} that is not Neutron's has dropped {rule.packets} packets of {port}",
                        (rule.line,),
                        count=rule.packets,
                        chain=rule.chain,
                        direction=DIRECTIONS.get(letter, "egress"),
                    )


def _is_neutrons(rule: Rule, letter: str) -> bool:
    """By its comment; without comments (comment_rules = False, and before Juno) by its form."""
    if rule.comment.startswith(OWN_COMMENTS):
        return True
    options = [option for match in rule.matches for option in match.options]
    said = {(option.name, value) for option in options for value in option.values}
    invalid = {("--state", "INVALID"), ("--ctstate", "INVALID")} & said
    spoofed = letter == "o" and {("--sport", "67"), ("--dport", "68")} <= said
    return bool(invalid or spoofed or any(option.negated for option in options))


@check("firewall.forward-drop", severity=Severity.ERROR)
def foreign_forward_drop(found: PortFilter) -> Iterator[Finding]:
    """A rule or the policy of FORWARD that is not Neutron's drops all that ports of this node send or are sent.

    Docker sets the policy to DROP, firewalld ends the chain with a REJECT; with bridge-nf-call-iptables bridged
    frames go through both.
    """
    hit: dict[Drop, dict[str, BridgedPort]] = {}
    for port in found.ports:
        if port.bridge and port.filtered:
            for packets in (to_port(port, ANY), from_port(port, ANY)):
                drop = found.dropped(packets)
                if drop is not None and not drop.chain.startswith("neutron-"):
                    hit.setdefault(drop, {})[port.device] = port
    for drop, ports in hit.items():
        devices = ", ".join(list(ports)[:5]) + (", ..." if len(ports) > 5 else "")
        yield Finding(
            f"{drop.chain} on {found.node}",
            f"{drop.chain} drops all packets of {len(ports)} ports on {found.node} ({devices}): {drop.line}",
            evidence=Evidence(found.node, "iptables-save -c", drop.line),
            host=found.node,
            chain=drop.chain,
            ports=len(ports),
            device=devices,
        )


def _macs(pairs: Iterable[Rule]) -> str:
    options = (option for rule in pairs for match in rule.matches for option in match.options)
    return ",".join(dict.fromkeys(o.values[0].lower() for o in options if o.name == "--mac-source" and o.values))

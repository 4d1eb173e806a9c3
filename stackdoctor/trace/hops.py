"""One hop of a path and what shows that it works: the links that a frame passes on a node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackdoctor.facts.bridges import Fdb
from stackdoctor.facts.libvirt import Domain
from stackdoctor.facts.links import Link
from stackdoctor.model import Evidence
from stackdoctor.trace.endpoints import Endpoint
from stackdoctor.trace.wiring import OPEN_VSWITCH, Site

__all__ = [
    "BROKEN",
    "OK",
    "UNKNOWN",
    "Hop",
    "Proof",
    "bridge_hop",
    "card_hop",
    "fits",
    "inner_hop",
    "link_proofs",
    "open_vswitch_hop",
    "port_hop",
]

OK, BROKEN, UNKNOWN = "ok", "broken", "unknown"


@dataclass(frozen=True)
class Proof:
    """One thing that must hold at a hop: it does, it does not, or (None) it cannot be said.

    ``only_large``: what fails here fails for large packets only.  ``room`` is the largest packet of a tenant that
    passes here, in bytes.
    """

    holds: bool | None
    text: str
    evidence: Evidence | None = None
    only_large: bool = False
    room: int | None = None


@dataclass(frozen=True)
class Hop:
    """One hop: on which node, ``what`` it is, its ``name``, and the proofs for it.

    ``what`` is guest NIC, tap, veth, bridge, vxlan, vlan, physical, underlay, interface, process, redirect,
    security group, Open vSwitch.
    """

    node: str
    what: str
    name: str
    proofs: tuple[Proof, ...]

    def __str__(self) -> str:
        return f"{self.name} on {self.node}" if self.node else self.name

    @property
    def status(self) -> str:
        """``broken`` where a proof fails, else ``unknown`` where one cannot be had, else ``ok``."""
        said = [proof.holds for proof in self.proofs]
        return BROKEN if False in said else UNKNOWN if None in said else OK

    @property
    def narrow(self) -> bool:
        """Whether it is broken for large packets only."""
        return self.status == BROKEN and all(p.only_large for p in self.proofs if p.holds is False)

    @property
    def fault(self) -> str:
        """What is wrong with it, or what is not known of it; empty when it is ok."""
        wanted = {BROKEN: False, UNKNOWN: None}.get(self.status, True)
        return ", ".join(p.text for p in self.proofs if wanted is not True and p.holds is wanted)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The lines that show it, each once."""
        return tuple(dict.fromkeys(p.evidence for p in self.proofs if p.evidence is not None))


def fits(mtu: int, tenant: int | None, overhead: int, evidence: Evidence) -> Proof:
    """Whether packets of ``tenant`` bytes and the tunnel's ``overhead`` pass an interface of this MTU."""
    holds = tenant is None or mtu >= tenant + overhead
    needed = f"{tenant} + {overhead}" if overhead else f"{tenant}"
    text = f"MTU {mtu}" if holds else f"MTU {mtu} is too small for {needed}"
    if overhead and holds and tenant is not None:
        text += f" >= {tenant}+{overhead}"
    return Proof(holds, text, evidence, only_large=not holds, room=mtu - overhead)


def link_proofs(
    site: Site, name: str, namespace: str, tenant: int | None, overhead: int = 0
) -> tuple[Link | None, list[Proof]]:
    """The interface, and that it is there, is up, has a carrier and takes packets of the size."""
    link = site.link(name, namespace)
    if link is None:
        why = site.unseen(namespace)
        return None, [Proof(None, f"not known: {why}") if why else Proof(False, "it is not there")]
    proofs = [Proof(link.up, "up" if link.up else "it is down", link.evidence)]
    if link.up and not link.lower_up:
        proofs.append(Proof(False, "it has no carrier", link.evidence))
    proofs.append(fits(link.mtu, tenant, overhead, link.evidence))
    return link, proofs


def card_hop(end: Endpoint, domain: Domain) -> Hop:
    """A guest's network card, as libvirt has it."""
    at = domain.evidence
    proofs = [Proof(domain.running, "running" if domain.running else f"the guest is {domain.state}", at)]
    card = end.card
    if card is not None:
        proofs.append(Proof(True, ", ".join((end.mac, *end.addresses)), card.evidence))
        if card.link_down:
            proofs.append(Proof(False, "libvirt has its link set down", card.evidence))
    return Hop(end.node, "guest NIC", domain.nova_name or domain.name, tuple(proofs))


def open_vswitch_hop(
    node: str, why: str = "its bridges, flows and tunnels are not visible in the kernel's links"
) -> Hop:
    """What the kernel does not list."""
    return Hop(node, "Open vSwitch", "Open vSwitch", (Proof(None, why),))


def port_hop(
    site: Site,
    what: str,
    name: str,
    bridge: str,
    tenant: int | None,
    mac: str = "",
    peer: tuple[str, str] | None = None,
) -> Hop:
    """A port of a bridge: in ``bridge`` (any, if empty), forwarding, with ``mac`` learned on it or nowhere else.

    ``peer`` is the interface and namespace that a veth pair must have at its other end.
    """
    link, proofs = link_proofs(site, name, "", tenant)
    if link is not None:
        proofs[1:1] = _membership(link, bridge)
        if mac and link.master and link.master not in OPEN_VSWITCH:
            proofs += _learned(site, mac, link)
        if peer and link.kind == "veth" and not site.unseen(peer[1]):
            other = site.peer(link)
            if other is not None and (other.name, other.namespace) != peer:
                proofs.append(Proof(False, f"its other end is {other}, not {peer[0]}", link.evidence))
    return Hop(site.name, what, name, tuple(proofs))


def _membership(link: Link, bridge: str) -> Iterator[Proof]:
    if not link.master:
        yield Proof(False, "it is in no bridge" + (f" (should be in {bridge})" if bridge else ""), link.evidence)
    elif bridge and link.master != bridge:
        yield Proof(False, f"it is in {link.master}, not in {bridge}", link.evidence)
    else:
        yield Proof(True, f"in {link.master}", link.evidence)
    if link.up and link.lower_up and link.port_state not in ("", "forwarding"):
        yield Proof(False, f"its port is {link.port_state}", link.evidence)


def _learned(site: Site, mac: str, link: Link) -> Iterator[Proof]:
    table = site.fact(Fdb)
    for entry in table.of(mac) if table else ():
        if entry.master != link.master or "permanent" in entry.flags:
            continue
        if entry.device == link.name:
            yield Proof(True, "MAC learned", entry.evidence)
        else:
            yield Proof(None, f"{mac} was last seen on {entry.device}", entry.evidence)


def bridge_hop(site: Site, name: str, tenant: int | None) -> Hop:
    """The bridge of a network on one node."""
    if not name:
        return Hop(site.name, "bridge", "bridge", (Proof(None, "the bridge of its network is not known"),))
    link, proofs = link_proofs(site, name, "", tenant)
    if link is not None and link.kind not in ("bridge", ""):
        proofs.insert(0, Proof(False, f"it is a {link.kind}, not a bridge", link.evidence))
    return Hop(site.name, "bridge", name, tuple(proofs))


def inner_hop(site: Site, end: Endpoint, tenant: int | None, address: str = "") -> Hop:
    """The interface of a port inside its namespace, with an address (``address``, if it must be that one)."""
    if not end.inner:
        why = site.unseen(end.namespace) or "its interface is not known"
        return Hop(site.name, "interface", end.namespace, (Proof(None, why),))
    link, proofs = link_proofs(site, end.inner, end.namespace, tenant)
    if link is not None:
        held = site.addresses(end.inner, end.namespace)
        if address and address not in held:
            proofs.append(Proof(False, f"it does not have {address}", link.evidence))
        elif held:
            proofs.append(Proof(True, address or held[0], link.evidence))
        elif end.owner != "external":
            proofs.append(Proof(False, "it has no address", link.evidence))
    return Hop(site.name, "interface", end.inner, tuple(proofs))

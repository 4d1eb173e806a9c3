"""Virtual functions of network cards (SR-IOV) and the guests that have them."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.domain_xml import DomainInterface
from stackdoctor.facts.libvirt import Domain, Domains
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.sriov import PhysicalFunction, Sriov, VirtualFunction

__all__ = ["all_functions_used", "function_without_link", "no_functions"]

AGENT = "neutron-sriov-nic-agent"
PASSED = ("hostdev", "direct")
NO_MAC = ("", "00:00:00:00:00:00")


def _passed(domains: Domains) -> Iterator[tuple[Domain, DomainInterface]]:
    for domain in domains.domains:
        for card in domain.interfaces:
            if card.kind in PASSED and card.mac:
                yield domain, card


@check("sriov.vf.none", severity=Severity.ERROR)
def no_functions(sriov: Sriov, processes: Processes) -> Iterator[Finding]:
    """Neutron's SR-IOV agent runs, and no card has a virtual function: they were not made again after a reboot."""
    if not any(AGENT in process.args[:400] for process in processes) or any(card.made for card in sriov.cards):
        return
    names = ", ".join(card.name for card in sriov.cards[:8])
    yield Finding(
        "virtual functions",
        f"no virtual function exists on {names}, and the SR-IOV agent runs",
        evidence=tuple(card.evidence for card in sriov.cards[:4]),
        host=sriov.cards[0].evidence.node,
        device=sriov.cards[0].name,
    )


@check("sriov.vf.all-used", severity=Severity.INFO)
def all_functions_used(sriov: Sriov, domains: Domains) -> Iterator[Finding]:
    """Every virtual function of a card belongs to a guest: the next one that asks for one does not start here."""
    macs = {card.mac for _, card in _passed(domains)}
    for card in sriov.cards:
        used = [vf for vf in card.functions if vf.mac in macs]
        if card.made and len(used) >= card.made:
            yield Finding(
                card,
                f"all {card.made} virtual functions of {card} are in use",
                evidence=(card.evidence, *(vf.evidence for vf in used[:2])),
                host=card.evidence.node,
                device=card.name,
            )


@check("sriov.vf.link-down", severity=Severity.ERROR)
def function_without_link(sriov: Sriov, domains: Domains) -> Iterator[Finding]:
    """A running guest has a virtual function that cannot pass frames.

    An error where its card is down or has no carrier.  ``link-state disable`` is a warning: the agent sets it where the
    port's admin state is down.  So is a MAC that no function has, which not every driver shows.
    """
    for domain, card in _passed(domains):
        if not domain.running:
            continue
        found = sriov.of_mac(card.mac)
        for physical, function in found:
            how = _how(physical, function)
            if how:
                yield _finding(domain, card, physical, function, how)
        known = [vf.mac for physical in sriov.cards for vf in physical.functions if vf.mac not in NO_MAC]
        if not found and known and card.kind == "hostdev":
            yield Finding(
                card,
                f"no virtual function has {card.mac}, the MAC of a card of {domain}",
                severity=Severity.WARNING,
                host=card.evidence.node,
                mac=card.mac,
                instance=domain.uuid,
                how="mac",
            )


def _how(physical: PhysicalFunction, function: VirtualFunction) -> str:
    if physical.up is False:
        return "card-down"
    if physical.carrier is False and function.link != "enable":
        return "no-carrier"
    return "disabled" if function.link == "disable" else ""


def _finding(
    domain: Domain, card: DomainInterface, physical: PhysicalFunction, function: VirtualFunction, how: str
) -> Finding:
    told = {
        "card-down": f"{physical} is set down",
        "no-carrier": f"{physical} has no carrier",
        "disabled": "its link is disabled",
    }[how]
    return Finding(
        function,
        f"{function}, which {domain} has, passes nothing: {told}",
        severity=Severity.WARNING if how == "disabled" else None,
        evidence=(function.evidence, physical.evidence, card.evidence),
        host=function.evidence.node,
        device=physical.name,
        mac=card.mac,
        instance=domain.uuid,
        how=how,
    )

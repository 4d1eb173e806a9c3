"""Whether an address answers from a place, and how large the packets may be that get there."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from stackdoctor.active.outcome import Outcome, State

__all__ = ["VXLAN_OVERHEAD", "mtu_outcome", "ping_outcome"]

VXLAN_OVERHEAD = 50
"""Outer IPv4, UDP and VXLAN headers and the inner Ethernet header (RFC 7348)."""


def ping_outcome(where: str, address: str, answer: Mapping[str, Any]) -> Outcome:
    """What an answer of onnode/ping.py says about ``address``."""
    route = answer.get("route", {})
    if not route.get("device"):
        why = route.get("error") or "no route"
        return Outcome(where, State.FAILED, f"there is no route to {address} here: {why}", values=answer)
    times = [ms for ms in answer.get("times", ()) if ms is not None]
    sent, macs = len(answer.get("times", ())), [str(a["mac"]) for a in answer.get("arp") or ()]
    values = {"sent": sent, "answered": len(times), "milliseconds": times, "arp": answer.get("arp"), "route": route}
    resolved = f", resolved by ARP to {', '.join(macs)}" if macs else ""
    if len(macs) > 1:
        says = f"{address} is claimed by {len(macs)} stations: {', '.join(macs)}"
        return Outcome(where, State.FAILED, says, "One of them has an address that is not its own.", values)
    if len(times) == sent and times:
        says = f"{address} answered {sent} of {sent}, median {statistics.median(times):.2f} ms{resolved}"
        return Outcome(where, State.OK, says, values=values)
    errors = "; ".join(f"{what} ({count}x)" for what, count in answer.get("errors", {}).items())
    told = f" ({errors})" if errors else ""
    if times:
        says = f"{address} answered {len(times)} of {sent}{told}{resolved}"
        return Outcome(where, State.FAILED, says, "Packets are lost: look at the links on the way.", values)
    if macs:
        says = f"{address} does not answer ICMP{told} but ARP: {macs[0]}"
        advice = (
            "The way there and back works and the station is up. ICMP is filtered: a security group without a rule for"
            " it, or the guest's own firewall."
        )
        return Outcome(where, State.FAILED, says, advice, values)
    if answer.get("arp") is not None:
        says = f"{address} answers neither ICMP nor ARP{told}"
        advice = "It is off, or the layer 2 path is broken: `stackdoctor path PORT --to dhcp` shows where."
        return Outcome(where, State.FAILED, says, advice, values)
    advice = "Behind a gateway ARP says nothing: a filter, a missing route back, or a station that is off."
    return Outcome(where, State.FAILED, f"{address} does not answer ICMP{told}", advice, values)


def mtu_outcome(where: str, address: str, answer: Mapping[str, Any], needed: int = 0, why: str = "") -> Outcome:
    """What an answer of onnode/ping.py says about the largest packet to ``address``.

    It is held against ``needed`` bytes (``why``), or against the MTU of the interface that the packets leave by.
    """
    device, mtu = answer.get("route", {}).get("device"), int(answer.get("mtu") or 0)
    if not device:
        why = answer.get("route", {}).get("error") or "no route"
        return Outcome(where, State.FAILED, f"there is no route to {address} here: {why}")
    size = int(answer.get("largest") or 0)
    values = {"largest": size, "mtu": mtu, "needed": needed or mtu, "packets": answer.get("sent"), "device": device}
    if not size:
        says = f"{address} answers no ICMP of any size, so the path's MTU cannot be measured"
        return Outcome(where, State.NOT_RUN, says, "`stackdoctor test ping` says more.", values)
    if size >= (needed or mtu):
        says = f"packets of {size} bytes get to {address} and back unfragmented"
        return Outcome(where, State.OK, f"{says}{', ' + why if why else f', the MTU of {device}'}", values=values)
    expected = f"{needed} are needed: {why}" if needed else f"{device} has MTU {mtu}"
    silence = "a hop said so by ICMP" if answer.get("told") else "larger ones vanish silently"
    says = f"no packet larger than {size} bytes gets to {address} and back; {expected}; {silence}"
    advice = (
        "A link on the way has a smaller MTU than its ends: compare `ip -d link` of the bridges, tunnels and physical"
        " interfaces on both nodes (a tunnel takes 50 bytes, GRE 42)."
    )
    return Outcome(where, State.FAILED, says, advice, values)

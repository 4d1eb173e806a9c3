"""DHCP offers: who answered, with what."""

from __future__ import annotations

import binascii
import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stackdoctor.active.outcome import Outcome, State

__all__ = ["Offer", "dhcp_outcome", "offers_of"]


@dataclass(frozen=True)
class Offer:
    """One DHCPOFFER.  ``lease`` is seconds; ``options`` are the others, each name with its value as text."""

    server: str
    mac: str
    address: str
    lease: int
    milliseconds: float
    options: Mapping[str, str]


def offers_of(frames: Collection[Mapping[str, Any]]) -> tuple[Offer, ...]:
    """The offers in what onnode/discover.py heard, each server's once; what is none is left out."""
    found: dict[tuple[str, str, str], Offer] = {}
    for frame in frames:
        for offer in _offer(frame):
            found.setdefault((offer.server, offer.mac, offer.address), offer)
    return tuple(found.values())


def _offer(frame: Mapping[str, Any]) -> Iterator[Offer]:
    logging.getLogger("scapy").setLevel(logging.ERROR)
    from scapy.layers.dhcp import BOOTP, DHCP
    from scapy.layers.l2 import Ether

    try:
        packet = Ether(binascii.unhexlify(str(frame.get("frame", ""))))
        if DHCP not in packet:
            return
        options = {o[0]: o[1:] for o in packet[DHCP].options if isinstance(o, tuple) and isinstance(o[0], str)}
        if options.get("message-type") not in ((2,), ("offer",)):
            return
        server = str(options.get("server_id", (packet[BOOTP].siaddr,))[0])
        shown = {name: _text(value) for name, value in options.items() if name not in ("message-type", "server_id")}
        lease = int(options.get("lease_time", (0,))[0])
    except Exception:  # a hostile server may find any of scapy's mistakes: its frame is no offer
        return
    yield Offer(server, str(packet.src), str(packet[BOOTP].yiaddr), lease, float(frame.get("ms", 0.0)), shown)


def _text(values: tuple[Any, ...]) -> str:
    return ", ".join(v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values)[:200]


def dhcp_outcome(
    where: str, asked: str, expected: Mapping[str, str], answer: Mapping[str, Any], listed: bool = True
) -> Outcome:
    """``expected`` are the addresses of the network's own DHCP servers by node, empty where not known.

    ``asked`` names the MAC; ``listed`` is whether those servers have it in their files, and owe it an offer.
    """
    if answer.get("error"):
        return Outcome(where, State.NOT_RUN, f"could not be run: {answer['error']}")
    offers = offers_of(answer.get("frames") or ())
    values = {"sent": answer.get("sent"), "offers": [asdict(offer) for offer in offers], "expected": dict(expected)}
    if not offers and not listed:
        says = "no foreign server answers; Neutron's own were not tried: they know no MAC that could ask all of them"
        return Outcome(where, State.NOT_RUN, says, "Name a port of the network.", values)
    if not offers:
        says = f"no offer for {asked} to {answer.get('sent')} DISCOVERs"
        advice = (
            "dnsmasq does not run in the qdhcp namespace, is not joined to this bridge, or its hosts file does not have"
            " this MAC: `stackdoctor path PORT --to dhcp` and `stackdoctor diagnose` say which."
        )
        return Outcome(where, State.FAILED, says, advice, values)
    told = "; ".join(
        f"{offer.server} ({offer.mac}) offers {offer.address} for {offer.lease} s in {offer.milliseconds:.1f} ms"
        for offer in offers
    )
    known = {node: address for node, address in expected.items() if address}
    strangers = [offer for offer in offers if offer.server not in expected.values() and len(known) == len(expected)]
    if strangers:
        says = f"a server that is none of the network's answers: {told}"
        advice = f"Find who has the MAC {strangers[0].mac}: a guest or a device in this network serves DHCP by itself."
        return Outcome(where, State.FAILED, says, advice, values)
    silent = sorted(set(known.values()) - {offer.server for offer in offers})
    if silent:
        at = ", ".join(f"{address} on {node}" for node, address in sorted(known.items()) if address in silent)
        advice = "Guests live on the others until those fail; look at the dnsmasq that is silent."
        return Outcome(where, State.FAILED, f"{told}; silent: {at}", advice, values)
    addresses = {offer.address for offer in offers}
    if len(addresses) > 1:
        advice = "Two servers of one network disagree: their hosts files differ, so an agent has not resynchronized."
        return Outcome(where, State.FAILED, f"the offers differ: {told}", advice, values)
    return Outcome(where, State.OK, told, "The offers were not taken: no lease was made.", values)

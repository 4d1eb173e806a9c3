"""One guest's DHCP exchange: DISCOVER, OFFER, REQUEST and ACK, by the path of its packets and the server's log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stackdoctor.facts.dnsmasq import DhcpLease, DhcpNetwork, Dnsmasq
from stackdoctor.trace.endpoints import Endpoint, same_network
from stackdoctor.trace.hops import BROKEN, OK, Hop
from stackdoctor.trace.path import Path
from stackdoctor.trace.records import LogRecord, Records
from stackdoctor.trace.steps import FAILED, MISSING, PROVEN, UNKNOWN, Step, Trace, implied
from stackdoctor.trace.wiring import Wiring

__all__ = ["ACKNOWLEDGED", "ANSWERED", "ASKED", "HEARD", "OFFERED", "SENT", "dhcp_trace"]

SENT, HEARD, RUNS, OFFERED, ASKED, ACKNOWLEDGED, ANSWERED = (
    "guest sends DISCOVER",
    "it gets to the DHCP server",
    "DHCP server runs and knows the port",
    "server sends OFFER",
    "guest sends REQUEST",
    "server sends ACK",
    "the answer gets to the guest",
)
"""The steps, in order."""

_SAID = re.compile(r"DHCP(?P<kind>DISCOVER|OFFER|REQUEST|ACK|NAK|DECLINE|RELEASE)\((?P<interface>[^)]+)\)(?P<rest>.*)")
"""dnsmasq, src/rfc2131.c, log_packet()."""

SERVER = "process"


@dataclass(frozen=True)
class Said:
    """What dnsmasq logged of one message."""

    kind: str
    rest: str
    record: LogRecord


def dhcp_trace(wiring: Wiring, guest: Endpoint, path: Path, records: Records) -> Trace:
    """The exchange between ``guest`` and the server at the end of ``path``; ``records`` name the guest's MAC."""
    # dnsmasq's lines of one second are one record
    said = [
        Said(match["kind"], match["rest"].strip(), record)
        for record in records.records
        for line in record.text.splitlines()
        if guest.mac in line and (match := _SAID.search(line))
    ]
    place = next((i for i, hop in enumerate(path.hops) if hop.what == SERVER), len(path.hops))
    there, server, back = path.hops[:place], path.hops[place : place + 1], path.hops[place + 1 :]
    network = _network(wiring, guest)
    lease = network.lease(_address(guest, network)) if network else None
    steps = implied(
        [
            _way(SENT, there[:2]),
            _heard(there[2:], said),
            _way(RUNS, server),
            _offered(said),
            _asked(said),
            _acknowledged(said, guest, lease),
            _answered(back, said),
        ]
    )
    more = [f"stackdoctor path {guest.mac} --to dhcp"]
    if not said:
        more.append("a longer --since: no log of this time has a DHCP message of the guest")
    about = {"mac": guest.mac, "port": guest.port, "network": guest.network, "server": path.goal}
    return Trace("dhcp", str(guest), steps, tuple(more), records.gaps, {k: v for k, v in about.items() if v})


def _network(wiring: Wiring, guest: Endpoint) -> DhcpNetwork | None:
    for site in wiring.sites.values():
        served = site.fact(Dnsmasq)
        for network in served.networks if served else ():
            if same_network(network.network_id, guest.network):
                return network
    return None


def _address(guest: Endpoint, network: DhcpNetwork) -> str:
    host = network.host(guest.mac)
    known = host.addresses if host else guest.addresses
    return next((address for address in known if ":" not in address), "")


def _way(name: str, hops: Sequence[Hop]) -> Step:
    broken = next((hop for hop in hops if hop.status == BROKEN and not hop.narrow), None)
    if broken is not None:
        return _at_hop(name, FAILED, broken, broken.fault)
    doubtful = next((hop for hop in hops if hop.status != OK and not hop.narrow), None)
    if doubtful is not None or not hops:
        fault = doubtful.fault if doubtful else "it is on no node that was looked at"
        return Step(name, UNKNOWN, fault, doubtful.node if doubtful else "")
    return _at_hop(name, PROVEN, hops[-1], f"{len(hops)} hops are in order")


def _at_hop(name: str, state: str, hop: Hop, text: str) -> Step:
    shown = f"{hop.name}: {text}" if state == FAILED else text
    return Step(name, state, shown, hop.node, hop.what, evidence=hop.evidence)


def _last(said: Sequence[Said], *kinds: str) -> Said | None:
    return next((one for one in reversed(said) if one.kind in kinds), None)


def _logged(name: str, state: str, one: Said, text: str = "") -> Step:
    record = one.record
    shown = text or f"DHCP{one.kind} {one.rest}"
    return Step(name, state, shown, record.node, record.service, record.time, (record.evidence,))


def _heard(hops: Sequence[Hop], said: Sequence[Said]) -> Step:
    name = HEARD
    heard = _last(said, "DISCOVER", "REQUEST")
    way = _way(name, hops)
    if way.state == FAILED:
        return way
    if heard is not None:
        return _logged(name, PROVEN, heard)
    return way if way.state == UNKNOWN else Step(name, PROVEN, f"{way.text}; the log has no message of it", way.node)


def _offered(said: Sequence[Said]) -> Step:
    name = OFFERED
    offer, discover = _last(said, "OFFER"), _last(said, "DISCOVER")
    if offer is not None:
        return _logged(name, PROVEN, offer)
    if discover is not None:
        times = sum(one.kind == "DISCOVER" for one in said)
        return _logged(name, FAILED, discover, f"{times} DISCOVER and no OFFER: {discover.rest}")
    return Step(name, UNKNOWN, "no DISCOVER in the logs of this time: a guest that has its lease renews it by REQUEST")


def _before(said: Sequence[Said], first: Said, second: Said) -> bool:
    """Whether the last of ``first``'s kind came before the last of ``second``'s: of one node by its log's order."""
    if first.record.node == second.record.node:
        last = {one.kind: place for place, one in enumerate(said)}
        return last[first.kind] < last[second.kind]
    return first.record.time < second.record.time - 1


def _asked(said: Sequence[Said]) -> Step:
    name = ASKED
    asked, offer = _last(said, "REQUEST"), _last(said, "OFFER")
    if offer is not None and (asked is None or _before(said, asked, offer)):
        times = sum(one.kind == "OFFER" for one in said)
        return _logged(name, MISSING, offer, f"{times} OFFER and no REQUEST after it: it does not get to the guest")
    if asked is not None:
        return _logged(name, PROVEN, asked)
    return Step(name, UNKNOWN, "no REQUEST in the logs of this time")


def _acknowledged(said: Sequence[Said], guest: Endpoint, lease: DhcpLease | None) -> Step:
    name = ACKNOWLEDGED
    ended = _last(said, "ACK", "NAK", "DECLINE")
    offer = _last(said, "OFFER")
    if ended is not None and (offer is None or not _before(said, ended, offer)):
        return _logged(name, PROVEN if ended.kind == "ACK" else FAILED, ended)
    if lease is None:
        return Step(name, UNKNOWN, "neither an ACK in the logs of this time nor a lease")
    if lease.mac != guest.mac:
        text = f"{lease.mac} holds the lease of {lease.address}"
        return Step(name, FAILED, text, lease.evidence.node, "dnsmasq", evidence=(lease.evidence,))
    if offer is not None:
        return Step(name, UNKNOWN, f"no ACK after the last OFFER; the lease of {lease.address} is an earlier one")
    return Step(
        name, PROVEN, f"it has the lease of {lease.address}", lease.evidence.node, "dnsmasq", evidence=(lease.evidence,)
    )


def _answered(hops: Sequence[Hop], said: Sequence[Said]) -> Step:
    name = ANSWERED
    way = _way(name, hops) if hops else Step(name, UNKNOWN, "the way back is not known")
    if way.state == FAILED:
        return way
    if (asked := _last(said, "REQUEST")) is not None and _last(said, "DISCOVER") is None:
        return _logged(name, PROVEN, asked, "it renews its lease, which it has from an earlier answer")
    return way

"""One packet over many hops: seen here, seen there, changed how, last seen where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from stackdoctor.active.pcap import Capture, Frame

__all__ = ["Flow", "Journey", "Way", "flows", "follow"]

TRANSIT = 0.1
"""Seconds that a packet may take from one hop to the next, and clocks may differ."""


@dataclass(frozen=True)
class Journey:
    """One packet: ``seen`` are the places of the hops (in their order) where it was, and the frame at each.

    ``forward`` says whether it goes from the first hop to the last of ``hops``; ``ends`` are the places of the first
    and the last hop that there is a capture of.  ``heeded``: each of these listened while it was on its way.
    """

    what: str
    kind: str
    forward: bool
    seen: tuple[tuple[int, Frame], ...]
    ends: tuple[int, int]
    hops: int
    heeded: bool = True

    @property
    def begin(self) -> float:
        """When it was seen first."""
        return min(frame.time for _, frame in self.seen)

    @property
    def last(self) -> int:
        """The place of the hop where it was seen last, in its own direction."""
        places = [place for place, _ in self.seen]
        return max(places) if self.forward else min(places)

    @property
    def begun(self) -> bool:
        """Whether the first hop on its way saw it: what begins in between goes another way, or began before."""
        places = [place for place, _ in self.seen]
        return min(places) == 0 if self.forward else max(places) == self.hops - 1

    @property
    def arrived(self) -> bool:
        """Whether the last hop on its way that there is a capture of saw it."""
        return self.last == self.ends[self.forward]

    @property
    def changes(self) -> tuple[str, ...]:
        """What became different on the way, in order, with the hop that shows it first."""
        on_its_way = self.seen if self.forward else self.seen[::-1]
        told: list[str] = []
        for (_, before), (place, after) in pairwise(on_its_way):
            told += [f"{change} at {place}" for change in _changes(before, after)]
        return tuple(told)


@dataclass(frozen=True)
class Flow:
    """All packets of one kind and direction: how many each hop saw; ``lost_after`` is the place behind which none is.

    ``lost`` are those that did not arrive although others may have.
    """

    kind: str
    forward: bool
    counts: tuple[int, ...]
    journeys: tuple[Journey, ...]

    @property
    def lost(self) -> tuple[Journey, ...]:
        """Those that began at the first hop and that the last one did not see although it listened."""
        return tuple(journey for journey in self.journeys if journey.begun and journey.heeded and not journey.arrived)

    @property
    def lost_after(self) -> int | None:
        """The furthest hop that any of those lost reached; None if one arrived, or none began at the first hop."""
        places = [journey.last for journey in self.lost]
        if not places or any(journey.arrived for journey in self.journeys):
            return None
        return max(places) if self.forward else min(places)


@dataclass(frozen=True)
class Way:
    """Whose packets belong on the hops: those of the MAC address ``here`` to and from ``there``.

    ``addresses`` are the IP addresses of ``there``, which ARP asks for; ``goal`` those behind it, where that is a
    router.  ``dhcp``: the exchange of ``here`` with its DHCP server too, whoever it is sent to.  The first hops see
    more than that, which ends elsewhere and is not lost.
    """

    here: str
    there: str
    addresses: frozenset[str]
    goal: frozenset[str] = frozenset()
    dhcp: bool = False

    def carries(self, journey: Journey) -> bool:
        """Whether the packet goes this way, by any of its frames."""
        return any(self._carries(frame) for _, frame in journey.seen)

    def _carries(self, frame: Frame) -> bool:
        if frame.identity[0] == "dhcp":
            return self.dhcp and frame.identity[-1] == self.here
        if self.here not in (frame.src_mac, frame.dst_mac):
            return False
        if frame.identity[0] == "arp":
            return not self.addresses.isdisjoint(map(str, frame.identity[3:]))
        if self.goal and self.goal.isdisjoint((frame.src, frame.dst)):
            return False
        return self.there in (frame.src_mac, frame.dst_mac)


def follow(captures: Sequence[Capture]) -> tuple[Journey, ...]:
    """Every packet that any of ``captures`` (hops in their order) saw, in order of time.

    A hop without a capture says nothing: what was not seen there is not lost there.  Nor does one whose capture began
    later or ended earlier than those of others: at the edges of the time packets are seen on some hops only.
    """
    read = [place for place, capture in enumerate(captures) if not capture.unread]
    ends = (read[0], read[-1]) if read else (0, 0)
    found: dict[tuple[object, ...], dict[int, Frame]] = {}
    for place, capture in enumerate(captures):
        for frame in capture.frames:
            found.setdefault(frame.identity, {}).setdefault(place, frame)
    heard = [captures[place] for place in read]
    journeys = [_journey(seen, ends, heard, len(captures)) for seen in found.values()]
    return tuple(sorted(journeys, key=lambda journey: journey.begin))


def _journey(seen: dict[int, Frame], ends: tuple[int, int], heard: Sequence[Capture], hops: int) -> Journey:
    places = sorted(seen)
    begin, end = min(frame.time for frame in seen.values()), max(frame.time for frame in seen.values())
    heeded = all(capture.listened(begin, end + TRANSIT) for capture in heard)
    first = seen[places[0]]
    way = tuple((place, seen[place]) for place in places)
    return Journey(first.what, first.kind, _goes_forward(seen, ends), way, ends, hops, heeded)


def _goes_forward(seen: dict[int, Frame], ends: tuple[int, int]) -> bool:
    """From the first hop on, or back to it: by which end saw it, by its kind, else by the times."""
    places = sorted(seen)
    begins, arrives = places[0] == ends[0], places[-1] == ends[1]
    if begins != arrives:
        return begins
    asks = seen[places[0]].asks
    if asks is not None:
        return asks
    return seen[places[0]].time <= seen[places[-1]].time


def flows(journeys: Sequence[Journey], hops: int) -> tuple[Flow, ...]:
    """``journeys`` by kind and direction, those that do not arrive first."""
    by_kind: dict[tuple[str, bool], list[Journey]] = {}
    for journey in journeys:
        by_kind.setdefault((journey.kind, journey.forward), []).append(journey)
    found = []
    for (kind, forward), same in by_kind.items():
        counts = tuple(sum(any(p == place for p, _ in journey.seen) for journey in same) for place in range(hops))
        found.append(Flow(kind, forward, counts, tuple(same)))
    return tuple(sorted(found, key=lambda flow: (flow.lost_after is None, -len(flow.journeys))))


def _changes(before: Frame, after: Frame) -> list[str]:
    told = []
    if before.vlan != after.vlan:
        told.append(f"VLAN {before.vlan or 'none'} → {after.vlan or 'none'}")
    if before.tunnel != after.tunnel:
        if after.tunnel is None:
            told.append(f"taken out of {before.tunnel.kind if before.tunnel else 'its tunnel'}")
        else:
            told.append(f"in {after.tunnel.kind} {after.tunnel.key} from {after.tunnel.src} to {after.tunnel.dst}")
    if before.src != after.src:
        told.append(f"source {before.src} → {after.src}")
    if before.dst != after.dst:
        told.append(f"destination {before.dst} → {after.dst}")
    if before.ttl != after.ttl:
        told.append(f"TTL {before.ttl} → {after.ttl}")
    return told

"""Where packets of one way are copied, and the copying: what `capture` and `trace dhcp --live` share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stackdoctor.cli.active_places import refuse_unknown
from stackdoctor.cli.consent import need_consent
from stackdoctor.cli.look import Looking, nodes_to_look_at
from stackdoctor.errors import UsageError

if TYPE_CHECKING:
    from stackdoctor.active.capture import Bounds, Tap
    from stackdoctor.active.follow import Way
    from stackdoctor.active.pcap import Capture
    from stackdoctor.trace.endpoints import Endpoint
    from stackdoctor.trace.path import Path
    from stackdoctor.trace.wiring import Wiring

__all__ = ["PathTaps", "copied", "taps_of"]


@dataclass(frozen=True)
class PathTaps:
    """The hops of a path in their order, what is copied there (pcap-filter(7)), and which of it goes that way.

    ``way`` is None where it is not known who gets the packets.
    """

    taps: tuple[Tap, ...]
    words: tuple[str, ...]
    way: Way | None


def taps_of(wiring: Wiring, guest: Endpoint, path: Path, *, dhcp: bool) -> PathTaps:
    """Where the packets of ``path`` can be copied; raises UsageError where that is nowhere."""
    from stackdoctor.active.capture import Tap
    from stackdoctor.active.follow import Way
    from stackdoctor.trace.places import places

    taps = tuple(Tap(place.node, place.interface, place.namespace) for place in places(wiring, path))
    if not taps:
        raise UsageError(f"no hop of the path of {guest} can be captured on: {path.verdict}")
    inner = f"ether host {guest.mac} or arp or icmp or udp port 67 or udp port 68"
    words = tuple(f"{inner} or udp port 8472 or udp port 4789 or ip proto 47 or vlan".split())
    if not path.ends:
        return PathTaps(taps, words, None)
    first, *behind = path.ends
    goal = frozenset(address for end in behind for address in end.addresses)
    return PathTaps(taps, words, Way(guest.mac, first.mac, frozenset(first.addresses), goal, dhcp))


def copied(
    looking: Looking, taps: Sequence[Tap], words: Sequence[str], bounds: Bounds, yes: bool
) -> tuple[tuple[Capture, bytes], ...]:
    """What each of ``taps`` saw, after consent; raises UsageError for a node or a filter that there is not."""
    from stackdoctor.active.capture import capture_plans, captured
    from stackdoctor.collect.run import collect

    plans = capture_plans(taps, words, bounds)
    nodes, known_hosts = nodes_to_look_at(looking)
    known = {node.name: node for node in nodes}
    refuse_unknown([tap.node for tap in taps], known)
    said = f"run tcpdump for {bounds.seconds:g} s (at most {bounds.packets} packets) on "
    need_consent([said + ", ".join(str(tap) for tap in taps if tap.node == node) for node in plans], yes)
    options = replace(looking.options(known_hosts), timeout=10.0)
    return captured(taps, collect([known[name] for name in plans], plans, options))

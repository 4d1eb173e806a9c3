"""The steps of a DHCP exchange by the packets on three hops: what was seen, lost, left unanswered, or never asked."""

from __future__ import annotations

from stackdoctor.active.follow import follow
from stackdoctor.active.pcap import Capture, Frame
from stackdoctor.cli.trace_dhcp_live import by_packets
from stackdoctor.trace.dhcp import ACKNOWLEDGED, ANSWERED, ASKED, HEARD, OFFERED, SENT
from stackdoctor.trace.steps import FAILED, MISSING, PROVEN, UNKNOWN, Step

GUEST = "fa:16:3e:2e:02:e7"
HOPS = ("compute1:tap1", "compute1:eth2", "controller:qdhcp-1/ns-1")
STEPS = tuple(Step(name, UNKNOWN) for name in (SENT, HEARD, OFFERED, ASKED, ACKNOWLEDGED, ANSWERED))
ALL = (0, 1, 2)
NOW = 1795380000.0


def frame(word: str, time: float) -> Frame:
    kind = f"DHCP {word}"
    asks = word in ("Discover", "Request")
    return Frame(time, kind, f"{kind} of {GUEST}", ("dhcp", 7, word, GUEST), asks, GUEST, "", "", "", None, None, 300)


def states(*seen: tuple[str, tuple[int, ...]], unread: tuple[int, ...] = ()) -> dict[str, str]:
    """The state of each step, by the messages in their order and the hops that saw each; ten seconds are watched."""
    frames: dict[int, list[Frame]] = {place: [] for place in ALL}
    for second, (word, places) in enumerate(seen):
        for place in places:
            late = place if word in ("Discover", "Request") else len(HOPS) - place
            frames[place].append(frame(word, NOW + second + late / 1000))
    later = Frame(NOW + 10, "ARP request", "", ("arp",), True, "", "", "", "", None, None, 60)
    captures = [
        Capture(HOPS[place], (), unread="no tcpdump")
        if place in unread
        else Capture(HOPS[place], (*frames[place], later))
        for place in ALL
    ]
    journeys = [journey for journey in follow(captures) if journey.kind.startswith("DHCP")]
    return {step.name: step.state for step in by_packets(STEPS, captures, journeys)}


def test_a_whole_exchange_is_proven_by_its_packets() -> None:
    found = states(("Discover", ALL), ("Offer", ALL), ("Request", ALL), ("Ack", ALL))
    assert set(found.values()) == {PROVEN}


def test_a_discover_that_is_lost_on_its_way_fails_there() -> None:
    found = states(("Discover", (0, 1)), ("Discover", (0,)))
    assert (found[SENT], found[HEARD], found[OFFERED]) == (PROVEN, FAILED, UNKNOWN)


def test_a_server_that_says_nothing_to_what_it_got_fails() -> None:
    found = states(("Discover", ALL))
    assert (found[HEARD], found[OFFERED], found[ANSWERED]) == (PROVEN, FAILED, UNKNOWN)


def test_an_offer_that_is_lost_on_its_way_back_fails_there() -> None:
    found = states(("Discover", ALL), ("Offer", (1, 2)))
    assert (found[OFFERED], found[ASKED], found[ANSWERED]) == (PROVEN, UNKNOWN, FAILED)


def test_a_guest_that_takes_no_offer_is_told() -> None:
    assert states(("Discover", ALL), ("Offer", ALL))[ASKED] == MISSING


def test_a_nak_is_no_success() -> None:
    found = states(("Request", ALL), ("Nak", ALL))
    assert (found[ACKNOWLEDGED], found[ANSWERED]) == (FAILED, PROVEN)


def test_a_server_whose_own_hop_could_not_be_captured_on_is_not_blamed() -> None:
    found = states(("Discover", (0, 1)), unread=(2,))
    assert (found[SENT], found[HEARD], found[OFFERED]) == (PROVEN, UNKNOWN, UNKNOWN)
    found = states(("Discover", (1, 2)), ("Offer", (1, 2)), unread=(0,))
    assert (found[OFFERED], found[ASKED], found[ANSWERED]) == (PROVEN, UNKNOWN, UNKNOWN)


def test_nothing_seen_changes_nothing() -> None:
    assert set(states().values()) == {UNKNOWN}

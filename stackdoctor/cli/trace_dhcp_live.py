"""`stackdoctor trace dhcp --live`: the steps of an exchange by the packets that were copied on its hops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from stackdoctor.cli.look import Looking
from stackdoctor.cli.taps import copied, taps_of
from stackdoctor.model import Evidence
from stackdoctor.trace.dhcp import ACKNOWLEDGED, ANSWERED, ASKED, HEARD, OFFERED, SENT
from stackdoctor.trace.steps import FAILED, MISSING, PROVEN, Step, Trace, implied

if TYPE_CHECKING:
    from stackdoctor.active.follow import Journey
    from stackdoctor.active.pcap import Capture
    from stackdoctor.trace.endpoints import Endpoint
    from stackdoctor.trace.path import Path
    from stackdoctor.trace.wiring import Wiring

__all__ = ["by_packets", "watched"]

WAITS = "none of its DHCP packets was seen: it renews when half of its lease is over; have it ask, or watch for longer"
PATIENCE = 1.0
"""Seconds in which a server or a guest goes on; what was said so shortly before the end may still be answered."""


def watched(
    looking: Looking, wiring: Wiring, guest: Endpoint, path: Path, trace: Trace, seconds: float, yes: bool
) -> Trace:
    """``trace`` with what the packets of ``seconds`` show on the hops of ``path``, after consent."""
    from stackdoctor.active.capture import Bounds
    from stackdoctor.active.follow import follow

    hops = taps_of(wiring, guest, path, dhcp=True)
    found = copied(looking, hops.taps, hops.words, Bounds(seconds=seconds), yes)
    captures = tuple(capture for capture, _ in found)
    identities = ((journey, journey.seen[0][1].identity) for journey in follow(captures))
    journeys = [journey for journey, (kind, *rest) in identities if kind == "dhcp" and rest[-1] == guest.mac]
    unread = tuple(f"{capture.name}: {capture.unread}" for capture in captures if capture.unread)
    steps = by_packets(trace.steps, captures, journeys)
    more = trace.tell_more if journeys else (*trace.tell_more, WAITS)
    return replace(trace, steps=steps, tell_more=more, gaps=(*trace.gaps, *unread))


def by_packets(steps: Sequence[Step], captures: Sequence[Capture], journeys: Sequence[Journey]) -> tuple[Step, ...]:
    """``steps``, those of which a packet tells by that; ``journeys`` are the guest's DHCP packets in order of time.

    What no packet tells stays as it is; so does what only an end that could not be captured on would tell.
    """
    end = max((capture.frames[-1].time for capture in captures if capture.frames), default=0.0)
    asked = _of(journeys, "Discover", "Request")
    offers, ends = _of(journeys, "Offer"), _of(journeys, "Ack", "Nak")
    # an offer that arrives is not the end of it, one that does not is
    answers = ends or ([] if any(_got_there(offer, captures) for offer in offers) else offers)
    told = {
        SENT: _seen(SENT, asked, captures),
        HEARD: _crossed(HEARD, asked, captures),
        OFFERED: _answered(OFFERED, _of(journeys, "Discover"), offers, captures, end),
        ASKED: _went_on(offers, _of(journeys, "Request"), captures, end),
        ACKNOWLEDGED: _answered(ACKNOWLEDGED, _of(journeys, "Request"), ends, captures, end),
        ANSWERED: _crossed(ANSWERED, answers, captures),
    }
    return implied([told.get(step.name) or step for step in steps])


def _of(journeys: Sequence[Journey], *words: str) -> list[Journey]:
    return [journey for journey in journeys if journey.kind.removeprefix("DHCP ") in words]


def _got_there(journey: Journey, captures: Sequence[Capture]) -> bool:
    """Whether the very end of the hops saw it: the last one that could be captured on may be short of it."""
    return journey.last == (len(captures) - 1 if journey.forward else 0)


def _step(name: str, state: str, journey: Journey, captures: Sequence[Capture], place: int, text: str) -> Step:
    hop = captures[place].name
    node, _, interface = hop.partition(":")
    evidence = Evidence(node, f"tcpdump on {interface}", journey.what)
    return Step(name, state, text, node, interface, journey.begin, (evidence,))


def _seen(name: str, journeys: Sequence[Journey], captures: Sequence[Capture]) -> Step | None:
    if not journeys:
        return None
    last = journeys[-1]
    places = [place for place, _ in last.seen]
    return _step(name, PROVEN, last, captures, min(places) if last.forward else max(places), last.what)


def _crossed(name: str, journeys: Sequence[Journey], captures: Sequence[Capture]) -> Step | None:
    """Whether the packets that began at one end of the hops got to the other."""
    arrived = [journey for journey in journeys if _got_there(journey, captures)]
    if arrived:
        last = arrived[-1]
        text = f"{last.what}, seen on {len(last.seen)} of {len(captures)} hops"
        return _step(name, PROVEN, last, captures, last.last, text)
    lost = [journey for journey in journeys if journey.begun and journey.heeded and not journey.arrived]
    if not lost:
        return None
    furthest = max(lost, key=lambda journey: journey.last if journey.forward else -journey.last)
    hop = captures[furthest.last].name
    return _step(name, FAILED, furthest, captures, furthest.last, f"{furthest.what}: last seen on {hop}")


def _answered(
    name: str, questions: Sequence[Journey], answers: Sequence[Journey], captures: Sequence[Capture], end: float
) -> Step | None:
    """What the server said to what got to it."""
    if answers:
        seen = _seen(name, answers, captures)
        return replace(seen, state=FAILED) if seen and answers[-1].kind == "DHCP Nak" else seen
    heard = [journey for journey in questions if _got_there(journey, captures) and journey.begin < end - PATIENCE]
    if not heard:
        return None
    last = heard[-1]
    return _step(name, FAILED, last, captures, last.last, f"{len(heard)} × {last.kind}, and no answer")


def _went_on(
    offers: Sequence[Journey], requests: Sequence[Journey], captures: Sequence[Capture], end: float
) -> Step | None:
    """Whether the guest took an offer."""
    if requests:
        return _seen(ASKED, requests, captures)
    got = [journey for journey in offers if _got_there(journey, captures) and journey.begin < end - PATIENCE]
    if not got:
        return None
    return _step(ASKED, MISSING, got[-1], captures, got[-1].last, "it got an OFFER, and asked for nothing")

"""A path as it is told: lines for a reader, and a value for JSON.  The text is as the nodes gave it, not made inert."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from stackdoctor.trace.hops import BROKEN, OK, UNKNOWN, Hop, Proof
from stackdoctor.trace.path import Path

__all__ = ["SCHEMA", "Line", "lines", "path_value", "size_of", "verdict_of"]

SCHEMA = "stackdoctor/path/1"
WORDS = {OK: "ok", BROKEN: "BROKEN", UNKNOWN: "unknown"}
VERDICTS = {OK: "OK", BROKEN: "BROKEN", UNKNOWN: "NOT KNOWN"}
TOLD = ("bridge", "underlay", "physical")
"""Kinds of hops that do not show in the name or in the proofs."""


@dataclass(frozen=True)
class Line:
    """One hop: ``node`` is set where it is another one than before; ``beyond`` on the first hop behind the break."""

    node: str
    beyond: bool
    word: str
    name: str
    proof: str


def lines(path: Path) -> Iterator[Line]:
    """The hops in order."""
    node: str | None = None
    for place, hop in enumerate(path.hops):
        beyond = path.end is not None and place == path.end + 1
        at = hop.node or "somewhere else"
        yield Line(at if at != node else "", beyond, WORDS[hop.status], hop.name, _proof(hop))
        node = at


def _proof(hop: Hop) -> str:
    said = [proof.text for proof in _worst_first(hop.proofs)]
    return ", ".join(([hop.what] if hop.what in TOLD else []) + [text for text in said if text])


def _worst_first(proofs: tuple[Proof, ...]) -> list[Proof]:
    return sorted(proofs, key=lambda proof: {False: 0, None: 1}.get(proof.holds, 2))


def size_of(path: Path) -> str:
    """The largest packet that guests send and that passes; empty where either is not known."""
    if path.tenant is None or path.narrowest is None:
        return ""
    room, hop = path.narrowest
    verdict = "fits" if room >= path.tenant else "does not fit"
    return f"Guests send up to {path.tenant} bytes, {hop} takes {room}: it {verdict}."


def verdict_of(path: Path) -> tuple[str, str]:
    """The word for the whole path, and the sentence."""
    return VERDICTS[path.status], path.verdict


def path_value(path: Path) -> dict[str, Any]:
    """The path as JSON has it (docs/path.md)."""
    return {
        "from": path.start,
        "to": path.goal,
        "status": path.status,
        "verdict": path.verdict,
        "mtu": _mtu(path),
        "hops": [
            {
                "node": hop.node,
                "what": hop.what,
                "name": hop.name,
                "status": hop.status,
                "beyond": path.end is not None and place > path.end,
                "proofs": [
                    {
                        "text": proof.text,
                        "holds": proof.holds,
                        "evidence": None if proof.evidence is None else asdict(proof.evidence),
                    }
                    for proof in hop.proofs
                ],
            }
            for place, hop in enumerate(path.hops)
        ],
    }


def _mtu(path: Path) -> dict[str, Any]:
    room, hop = path.narrowest or (None, None)
    return {
        "tenant": path.tenant,
        "room": room,
        "narrowest": str(hop) if hop else None,
        "fits": None if path.tenant is None or room is None else room >= path.tenant,
    }

"""What every trace is: steps in order, each proven, failed, missing or not known, and what that says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from stackdoctor.model import Evidence

__all__ = ["FAILED", "IMPLIED", "MISSING", "PROVEN", "SCHEMA", "UNKNOWN", "Step", "Trace", "implied", "trace_value"]

PROVEN, IMPLIED, MISSING, FAILED, UNKNOWN = "proven", "implied", "missing", "failed", "unknown"
"""``implied``: nothing shows it, and a later step is not without it.  ``missing``: looked for where it would show."""

SCHEMA = "stackdoctor/trace/1"


@dataclass(frozen=True)
class Step:
    """One step: ``time`` is seconds since the epoch on our clock, None where it has none (a state, not an event)."""

    name: str
    state: str
    text: str = ""
    node: str = ""
    service: str = ""
    time: float | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Trace:
    """The way of one thing.  ``tell_more`` are commands and settings that would show what is not known here.

    ``gaps`` say what could not be looked at.
    """

    kind: str
    subject: str
    steps: tuple[Step, ...]
    tell_more: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    about: dict[str, str] = field(default_factory=dict)

    @property
    def last_proven(self) -> Step | None:
        """The furthest step that is shown to have happened."""
        return next((step for step in reversed(self.steps) if step.state == PROVEN), None)

    @property
    def stuck_at(self) -> Step | None:
        """The first step that failed, else the first that is missing, else None."""
        failed = next((step for step in self.steps if step.state == FAILED), None)
        return failed or next((step for step in self.steps if step.state == MISSING), None)

    @property
    def whole(self) -> bool:
        """Whether nothing is missing, failed or unknown."""
        return all(step.state in (PROVEN, IMPLIED) for step in self.steps)

    @property
    def verdict(self) -> str:
        """One sentence: how far it came, and where it stopped."""
        stuck, last = self.stuck_at, self.last_proven
        if stuck is not None:
            came = f"it came as far as {_of(last)}, " if last is not None and self._before(last, stuck) else ""
            return f"{came}{_of(stuck)} {'failed' if stuck.state == FAILED else 'is missing'}" + (
                f": {stuck.text}" if stuck.text else ""
            )
        if self.whole:
            shown = all(step.state == PROVEN for step in self.steps)
            return "every step is proven" if shown else "every step is proven, or implied by a later one that is"
        unknown = [step.name for step in self.steps if step.state == UNKNOWN]
        return f"nothing shows a break; not known: {', '.join(unknown)}"

    def _before(self, one: Step, other: Step) -> bool:
        return self.steps.index(one) < self.steps.index(other)


def _of(step: Step | None) -> str:
    if step is None:
        return "nothing"
    where = " on ".join(part for part in (step.service, step.node) if part)
    return f"{step.name} ({where})" if where else step.name


def implied(steps: list[Step]) -> tuple[Step, ...]:
    """``steps``, where what is unknown or missing before a proven one, and not behind a failed one, is implied by it.

    Behind a failed step, what is there may be left from an earlier time: a lease, a session.
    """
    last = max((place for place, step in enumerate(steps) if step.state == PROVEN), default=-1)
    failed = next((place for place, step in enumerate(steps) if step.state == FAILED), len(steps))
    return tuple(
        Step(step.name, IMPLIED, "", step.node, step.service)
        if place < min(last, failed) and step.state in (UNKNOWN, MISSING)
        else step
        for place, step in enumerate(steps)
    )


def trace_value(trace: Trace) -> dict[str, Any]:
    """The trace as JSON has it (docs/trace.md)."""
    return {
        "kind": trace.kind,
        "subject": trace.subject,
        "about": trace.about,
        "whole": trace.whole,
        "verdict": trace.verdict,
        "last_proven": trace.last_proven.name if trace.last_proven else None,
        "stuck_at": trace.stuck_at.name if trace.stuck_at else None,
        "steps": [
            {
                "name": step.name,
                "state": step.state,
                "text": step.text,
                "node": step.node,
                "service": step.service,
                "time": step.time,
                "evidence": [asdict(evidence) for evidence in step.evidence],
            }
            for step in trace.steps
        ],
        "tell_more": list(trace.tell_more),
        "gaps": list(trace.gaps),
    }

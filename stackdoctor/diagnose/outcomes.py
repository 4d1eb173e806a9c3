"""What became of each check on each node: one of four outcomes, checks with the same ones together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stackdoctor.diagnose.runner import Examination

__all__ = ["Outcomes", "outcomes"]


@dataclass(frozen=True)
class Outcomes:
    """The nodes of each outcome, for all of ``checks`` alike; an empty name is the cloud as a whole.

    ``finding``: something is wrong there now.  ``fine``: all of it was looked at, and nothing is.
    ``not_applicable``: there is nothing to look at.  ``not_checked``: it, or a part of it, could not be looked
    at, and nothing was found in the rest.
    """

    checks: tuple[str, ...]
    finding: tuple[str, ...]
    fine: tuple[str, ...]
    not_applicable: tuple[str, ...]
    not_checked: tuple[str, ...]


def outcomes(checks: Iterable[str], examination: Examination) -> tuple[Outcomes, ...]:
    """The outcomes of ``checks`` (their ids), in the order in which the first of each group comes."""
    found = _by_check((f.id, f.node) for f in examination.findings if not f.past)
    looked = _by_check(examination.checked)
    nothing = _by_check(examination.not_applicable)
    groups: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for check in checks:
        finding = found.get(check, set())
        missed = examination.missed(check) - finding
        absent = nothing.get(check, set()) - finding - missed
        fine = looked.get(check, set()) - finding - missed - absent
        of_it = tuple(tuple(sorted(nodes)) for nodes in (finding, fine, absent, missed))
        groups.setdefault(of_it, []).append(check)
    return tuple(Outcomes(tuple(members), *of_it) for of_it, members in groups.items())


def _by_check(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    nodes: dict[str, set[str]] = {}
    for check, node in pairs:
        nodes.setdefault(check, set()).add(node)
    return nodes

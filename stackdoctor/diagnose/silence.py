"""What the configuration says is known: findings and causes that are set aside, with the reason why."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from fnmatch import fnmatchcase

from stackdoctor.errors import UsageError
from stackdoctor.inventory.ignore import Ignore
from stackdoctor.model import Diagnosis, Finding

__all__ = ["Silenced", "in_force", "refuse_unknown", "rule_for"]


@dataclass(frozen=True)
class Silenced:
    """A finding, or a diagnosis with what only it explains (``findings``), that ``rule`` sets aside."""

    rule: Ignore
    findings: tuple[Finding, ...]
    diagnosis: Diagnosis | None = None


def refuse_unknown(rules: Iterable[Ignore], checks: Collection[str], causes: Collection[str]) -> None:
    """Raises UsageError for a rule that names no check and no cause there is, with what may have been meant."""
    for rule in rules:
        if rule.cause:
            if rule.cause not in causes:
                raise UsageError(f"{rule.origin}: no cause is called {rule.cause!r}{_hint(rule.cause, causes)}")
        elif not any(fnmatchcase(check, rule.finding) for check in checks):
            raise UsageError(f"{rule.origin}: no check is called {rule.finding!r}{_hint(rule.finding, checks)}")


def _hint(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), 3)
    return f": did you mean {' or '.join(near)}?" if near else "; `stackdoctor checks` and `checks --causes` list them"


def in_force(rules: Iterable[Ignore], now: float) -> tuple[tuple[Ignore, ...], tuple[Ignore, ...]]:
    """The rules that hold at ``now`` (seconds since the epoch), and those that have expired: the day counts in UTC."""
    today = datetime.fromtimestamp(now, timezone.utc).date()
    rules = tuple(rules)
    over = tuple(r for r in rules if r.until is not None and r.until < today)
    return tuple(r for r in rules if r not in over), over


def rule_for(subject: Finding | Diagnosis, rules: Sequence[Ignore]) -> Ignore | None:
    """The first of ``rules`` that sets ``subject`` aside."""
    return next((rule for rule in rules if _is_set_aside(subject, rule)), None)


def _is_set_aside(subject: Finding | Diagnosis, rule: Ignore) -> bool:
    if isinstance(subject, Finding):
        return (
            bool(rule.finding)
            and fnmatchcase(subject.id, rule.finding)
            and _fits({"node": subject.node, "subject": subject.subject}, {"node": rule.node, "subject": rule.subject})
            and _fits(subject.keys, rule.keys)
        )
    return (
        subject.cause == rule.cause
        and _fits(subject.where, {"node": rule.node, **rule.keys})
        and (not rule.subject or any(fnmatchcase(f.subject, rule.subject) for f in subject.explains))
    )


def _fits(said: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(not glob or (key in said and fnmatchcase(said[key], glob)) for key, glob in wanted.items())

"""`diagnose --why CAUSE`: how a cause scored on this snapshot, and why it won or lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from stackdoctor.diagnose.cover import THRESHOLD, Choice, Fate
from stackdoctor.diagnose.hypothesis import UNCHECKED_FACTOR, Evaluated, Hypothesis
from stackdoctor.diagnose.playbook import Playbook
from stackdoctor.model import Finding

__all__ = ["why"]

SHOWN = 3


def why(playbook: Playbook, choice: Choice, findings: Sequence[Finding]) -> Iterator[str]:
    """Lines of plain text about every case of ``playbook``, or about what it lacks to have one."""
    cases = [(h, fate) for h, fate in choice.fates if h.playbook.cause == playbook.cause]
    yield f"{playbook.cause}: {playbook.title}"
    if not cases:
        yield from _lacking(playbook, findings)
    for hypothesis, fate in cases:
        yield ""
        yield from _case(hypothesis, fate, findings)


def _lacking(playbook: Playbook, findings: Sequence[Finding]) -> Iterator[str]:
    yield "  no case of it here: it needs all of these together"
    for clause in playbook.when:
        for number, pattern in enumerate(clause):
            found = sum(1 for f in findings if pattern.bind(f, {}) is not None and (pattern.past or not f.past))
            word = "or   " if number else "when "
            yield f"  {word} {pattern}: " + (f"{found} by itself" if found else "not found")


def _case(hypothesis: Hypothesis, fate: Fate, findings: Sequence[Finding]) -> Iterator[str]:
    binding = ", ".join(f"{k}={v}" for k, v in hypothesis.binding.items())
    yield f"  {hypothesis.title}  [{binding}]"
    yield f"  {_verdict(hypothesis, fate)}"
    for evaluated in hypothesis.when:
        yield from _line("when", evaluated, f"x {1 - evaluated.pattern.weight:.2f} doubt", findings)
    for evaluated in hypothesis.because:
        effect = _effect(evaluated, hypothesis)
        yield from _line("because", evaluated, effect, findings)
    for evaluated in hypothesis.against:
        effect = f"x {1 - evaluated.pattern.weight:.2f}" if evaluated.matched else "no effect"
        yield from _line("against", evaluated, effect, findings)
    for evaluated in hypothesis.unless:
        effect = "rules it out" if evaluated.matched else "no effect"
        if evaluated.unchecked:
            effect = f"x {UNCHECKED_FACTOR:.2f}"
        yield from _line("unless", evaluated, effect, findings)
    yield f"    explains {len(hypothesis.covers - hypothesis.own)} findings beyond its own {len(hypothesis.own)}"


def _effect(evaluated: Evaluated, hypothesis: Hypothesis) -> str:
    pattern = evaluated.pattern
    if not evaluated.matched:
        return f"x {1 - pattern.weight / 2:.2f} (expected)" if pattern.expected else "no effect"
    if hypothesis.own.issuperset(evaluated.matched):
        return "counted above"
    return f"x {1 - pattern.weight:.2f} doubt"


def _verdict(hypothesis: Hypothesis, fate: Fate) -> str:
    score = f"score {hypothesis.score:.2f}"
    by = f"{fate.by.playbook.cause}: {fate.by.title}" if fate.by is not None else ""
    return {
        "chosen": f"{score}: chosen",
        "link": f"{score}: not a diagnosis of its own, all it rests on is explained by {by}",
        "redundant": f"{score}: not needed, others explain what it rests on" + (f" ({by})" if by else ""),
        "weak": f"{score}: below {THRESHOLD}",
        "excluded": "ruled out",
    }[fate.outcome]


def _line(section: str, evaluated: Evaluated, effect: str, findings: Sequence[Finding]) -> Iterator[str]:
    state = (
        f"{len(evaluated.matched)} found" if evaluated.matched else "not looked at" if evaluated.unchecked else "absent"
    )
    yield f"    {section:<8}{evaluated.pattern}: {state}, {effect}"
    yield from (f"              {line}" for line in _examples(evaluated.matched, findings))


def _examples(matched: Iterable[int], findings: Sequence[Finding]) -> Iterator[str]:
    matched = list(matched)
    for position in matched[:SHOWN]:
        yield f"{findings[position].node}: {findings[position].message}"
    if len(matched) > SHOWN:
        yield f"and {len(matched) - SHOWN} more"

"""The report as Markdown, for a ticket: what GitHub, GitLab, Jira's importer and pandoc read alike.

What comes from a node goes through ``markup``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from stackdoctor.model import Diagnosis, Severity
from stackdoctor.report.groups import alike, gaps, grouped, left_open, named, shortened, spread, unalike
from stackdoctor.report.hostile import flat, inert
from stackdoctor.report.markup import block, code, words
from stackdoctor.report.report import LIVE, Report
from stackdoctor.report.times import clock_time
from stackdoctor.report.wording import certainty, counted, headline, judged_at, missed, quoted, seen, verdict

__all__ = ["to_markdown"]

_EVIDENCE = 5
_PLACES = 12
_KINDS = 20
_WIDTH = 200


def to_markdown(report: Report, verbose: bool = False) -> str:
    """The verdict, each root cause with proof and way out, what is left open and what nobody looked at."""
    return "\n".join(_lines(report, verbose)) + "\n"


def _lines(report: Report, verbose: bool) -> Iterator[str]:
    said, gap = verdict(report)
    yield f"## {words(said)}"
    yield ""
    if report.at is not None:
        yield words(judged_at(report.at))
        yield ""
    if gap:
        yield words(gap)
        yield ""
    causes = alike(report.diagnoses)
    for place, members in enumerate(causes, 1):
        number = f"{place}. " if len(causes) > 1 else ""
        yield f"### {number}{str(members[0].severity).upper()}: {words(headline(members))}"
        yield ""
        yield from _cause(report, members, verbose)
    yield from _open(report, verbose)
    yield from _earlier(report)
    yield from _silenced(report)
    yield from _gaps(report)
    taken = "live" if report.source == LIVE else f"from {report.source}"
    asked = f"{counted(len(report.nodes), 'node')} in {report.seconds:.1f} s"
    not_made = counted(len({(g.check, g.node) for g in missed(report)}), "check") + " not made"
    yield "---"
    yield ""
    yield words(f"stackdoctor {report.version} · {clock_time(report.started)} · {taken} · {asked} · {not_made}")


def _cause(report: Report, alike: Sequence[Diagnosis], verbose: bool) -> Iterator[str]:
    diagnosis = alike[0]
    facts = [f"**{words(certainty(diagnosis.confidence))}**", code(diagnosis.cause)]
    facts += [f"{words(key)} {code(value)}" for key, value in diagnosis.where.items()]
    if diagnosis.state == "flapping":
        facts.append(f"flapping: it came and went {len(diagnosis.episodes)} times")
    elif diagnosis.episodes:
        facts.append(f"seen since {words(clock_time(diagnosis.episodes[-1][0], report.started))}")
    yield " · ".join(facts)
    yield ""
    if diagnosis.why:
        yield words(diagnosis.why)
        yield ""
    for place, link in enumerate(diagnosis.chain, 1):
        yield f"{place}. {words(link)}"
    if diagnosis.chain:
        yield ""
    if len(alike) > 1:
        yield f"**The same {counted(len(alike) - 1, 'more time')}**"
        yield ""
        for each in alike[1:] if verbose else alike[1 : _PLACES + 1]:
            yield "- " + ", ".join(f"{words(k)} {code(v)}" for k, v in unalike(each, alike).items())
        yield from _more(0 if verbose else len(alike) - 1 - _PLACES, "place")
        yield ""
    if diagnosis.evidence:
        yield "**Evidence**"
        yield ""
        shown = spread(diagnosis.evidence, None if verbose else _EVIDENCE)
        for line in shown:
            yield f"{words(line.node)}: {code(line.source)}" if line.node else code(line.source)
            yield ""
            text = inert(line.line) if verbose else "\n".join(quoted(line.line, _WIDTH))
            yield from block(text)
        left = len(set(diagnosis.evidence)) - len(shown)
        if left:
            yield f"… and {counted(left, 'more line')}"
            yield ""
    explains = grouped({id(f): f for each in alike for f in each.explains}.values())
    if explains:
        yield f"**Explains {counted(sum(len(g.findings) for g in explains), 'finding')}**"
        yield ""
        for group in explains if verbose else explains[:_KINDS]:
            yield f"- {words(seen(report, group))}: {words(group.findings[0].message)}"
        yield from _more(0 if verbose else len(explains) - _KINDS, "kind")
        yield ""
    yield from _way_out(diagnosis)


def _way_out(diagnosis: Diagnosis) -> Iterator[str]:
    if diagnosis.confirm:
        yield "**Confirm**"
        yield ""
        yield from block("\n".join(flat(command.strip()) for command in diagnosis.confirm))
    if diagnosis.fix:
        yield "**Fix**"
        yield ""
        for step in diagnosis.fix:
            on = f", on {words(step.on)}" if step.on else ""
            yield f"- {words(step.risk)}{on}: {code(step.do.strip())}"
        yield ""
    if diagnosis.unchecked:
        yield "**Could not be excluded**"
        yield ""
        yield from (f"- {words(what)}" for what in dict.fromkeys(diagnosis.unchecked))
        yield ""
    if diagnosis.refs:
        yield "Read more: " + ", ".join(code(ref) for ref in diagnosis.refs)
        yield ""


def _open(report: Report, verbose: bool) -> Iterator[str]:
    groups = grouped(left_open(report))
    for title, of_it in (
        ("Unexplained", [g for g in groups if g.severity >= Severity.ERROR]),
        ("Also seen", [g for g in groups if g.severity < Severity.ERROR]),
    ):
        if not of_it:
            continue
        yield f"### {title}"
        yield ""
        for group in of_it if verbose else of_it[:_KINDS]:
            yield f"- **{group.severity}** {words(seen(report, group))}: {words(group.findings[0].message)}"
        yield from _more(0 if verbose else len(of_it) - _KINDS, "kind")
        yield ""


def _earlier(report: Report) -> Iterator[str]:
    if report.history:
        yield "### Earlier in this window"
        yield ""
    for diagnosis in report.history[:_KINDS]:
        spans = [[clock_time(t, report.started) for t in episode] for episode in diagnosis.episodes]
        times = ", ".join(b if b == e else f"{b}–{e}" for b, e in spans[-3:]) or "at an unknown time"
        yield f"- {words(times)}: {words(diagnosis.title)} (recovered)"
    if report.history:
        yield from _more(len(report.history) - _KINDS, "cause")
        yield ""


def _silenced(report: Report) -> Iterator[str]:
    rules = {id(silenced.rule): silenced.rule for silenced in report.silenced}
    if rules or report.expired:
        yield "### Silenced"
        yield ""
        yield from (f"- {words(f'{rule}{rule.term}: {rule.reason}')}" for rule in rules.values())
        yield from (f"- {words(f'{rule}: expired on {rule.until}')}" for rule in report.expired)
        yield ""


def _gaps(report: Report) -> Iterator[str]:
    lines = [f"{words(n.name)}: {words(n.reason or 'nothing is known of it')}" for n in report.failed[:_KINDS]]
    left = len(report.failed) - len(lines)
    if left > 0:
        lines.append(f"… and {counted(left, 'more node')}")
    for gap in gaps(report, merged=True)[:_KINDS]:
        checks = named(shortened(gap.checks), 4)
        on = f" on {named(gap.nodes)}" if gap.nodes else ""
        lines.append(f"{words(checks + on)}: {words(gap.reason)}")
    if lines:
        yield "### Not looked at"
        yield ""
        yield from (f"- {line}" for line in lines)
        yield ""


def _more(number: int, what: str) -> Iterable[str]:
    return [f"- … and {counted(number, f'more {what}')}"] if number > 0 else []

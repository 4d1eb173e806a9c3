"""The half of an examination that needs one node only: its facts, and the checks that ask for no other node's.

Parts may be made where the nodes are, and travel: `light` leaves the raw answers behind.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from stackdoctor.collect.api_reads import is_api_probe
from stackdoctor.diagnose.names import Known, known_of
from stackdoctor.diagnose.registry import Check, Need
from stackdoctor.diagnose.roles import with_roles
from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.fact import Fact
from stackdoctor.facts.logs import LogHits
from stackdoctor.facts.moment import as_of
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.services import Services
from stackdoctor.model import API_ROLE, Absence, Finding, NodeResults

__all__ = [
    "STATE_OF_THE_LOOK",
    "CheckFailed",
    "Part",
    "facts_of",
    "findings_of",
    "light",
    "part_of",
    "parts_by",
    "unread",
    "without_answers",
]

_LOG = logging.getLogger(__name__)

STATE_OF_THE_LOOK = "state is known of the time of the look, not of the moment asked about"
"""Why nothing but logs is judged at a moment before the look."""


@dataclass(frozen=True)
class CheckFailed:
    """A check raised: its own mistake, which costs that check on that node."""

    reason: str


@dataclass(frozen=True)
class Part:
    """What one node's answers say by themselves; its ``results`` name the roles that they show.

    ``facts`` are those that checks over several nodes ask for, with what may concern another node, or why they are
    absent.  ``gaps`` are the globs on
    check ids and the sentences of all facts that were read in part (`Fact`).  ``made`` has, by its id, each check
    that asks for this node only: its findings as the check gave them, why there was nothing to look at, or how it
    failed.
    """

    results: NodeResults
    known: Known
    facts: Mapping[type[Fact], Fact | Absence]
    gaps: Mapping[type[Fact], tuple[tuple[str, str], ...]]
    made: Mapping[str, tuple[Finding, ...] | Absence | CheckFailed]


def facts_of(checks: Iterable[Check]) -> tuple[type[Fact], ...]:
    """What ``checks`` ask for, each once, in their order."""
    return tuple(dict.fromkeys(need.fact for check in checks for need in check.needs))


def part_of(results: NodeResults, checks: Iterable[Check], at: float | None = None) -> Part:
    """What `parts_by` makes of one node."""
    return parts_by(checks, at)(results)


def parts_by(checks: Iterable[Check], at: float | None = None) -> Callable[[NodeResults], Part]:
    """From a node to what ``checks`` ask for, each fact parsed once, and the checks that it is enough for, made.

    ``at`` is a moment before the look, seconds since the epoch on our clock: only logs tell of it, so everything
    else could not be checked.
    """
    checks = tuple(checks)
    alone = [check for check in checks if check.of_one_node]
    elsewhere = set(facts_of(check for check in checks if not check.of_one_node))
    asked = facts_of(checks)

    def made(results: NodeResults) -> Part:
        facts = {fact: _parsed(fact, results, at) for fact in asked}
        processes, services = facts.get(Processes), facts.get(Services)
        results = with_roles(
            results,
            processes if isinstance(processes, Processes) else None,
            services if isinstance(services, Services) else None,
        )
        return Part(
            results,
            known_of(results),
            {fact: _for_the_cloud(value) for fact, value in facts.items() if fact in elsewhere},
            {fact: tuple(gaps) for fact, value in facts.items() if (gaps := getattr(value, "gaps", ()))},
            {check.id: _made(check, facts) for check in alone},
        )

    return made


def light(part: Part) -> Part:
    """``part`` without what the node printed."""
    return replace(part, results=without_answers(part.results))


def without_answers(results: NodeResults) -> NodeResults:
    """``results`` without what the node printed: which probes ran, how and for how long is left."""
    bare = {
        key: replace(result, stdout=b"", stderr=b"") if result.stdout or result.stderr else result
        for key, result in results.results.items()
    }
    return replace(results, results=bare)


def _parsed(fact: type[Fact], results: NodeResults, at: float | None) -> Fact | Absence:
    if API_ROLE in results.node.roles and not any(is_api_probe(probe) for probe in fact.probes):
        return Absence("the APIs are no host", applicable=False)
    try:
        return _read(fact, results, at)
    except NotApplicable as error:
        return Absence(str(error), applicable=False)
    except CouldNotCheck as error:
        return Absence(str(error), applicable=True)
    except Exception as error:  # hostile text may find a parser's mistake: that fact is lost, not the run
        _LOG.debug("%s of %s", fact.__name__, results.node.name, exc_info=True)
        return Absence(f"{fact.__name__}: {type(error).__name__}: {error}", applicable=True)


def _read(fact: type[Fact], results: NodeResults, at: float | None) -> Fact:
    if at is None:
        return fact.parse(results)
    if not issubclass(fact, LogHits):
        raise CouldNotCheck(STATE_OF_THE_LOOK)
    return as_of(fact.parse(results), at + (results.clock.offset if results.clock else 0.0))


def _for_the_cloud(value: Fact | Absence) -> Fact | Absence:
    lessened: Callable[[], Fact] | None = getattr(value, "for_the_cloud", None)
    return value if lessened is None else lessened()


def _made(check: Check, facts: Mapping[type[Fact], Fact | Absence]) -> tuple[Finding, ...] | Absence | CheckFailed:
    values = {need: facts[need.fact] for need in check.needs}
    absences = [value for need, value in values.items() if isinstance(value, Absence) and not need.optional]
    if absences:
        return next((a for a in absences if not a.applicable), absences[0])
    arguments = {need.parameter: None if isinstance(value, Absence) else value for need, value in values.items()}
    return findings_of(check, arguments) or unread(values) or ()


def unread(values: Mapping[Need, Fact | Absence]) -> Absence | None:
    """Why a check that found nothing has not looked: all that it may do without, and part could not be read."""
    extra = [value for need, value in values.items() if need.optional]
    denied = [value for value in extra if isinstance(value, Absence) and value.applicable]
    return denied[0] if denied and all(isinstance(value, Absence) for value in extra) else None


def findings_of(check: Check, arguments: Mapping[str, object]) -> tuple[Finding, ...] | CheckFailed:
    """What ``check`` finds in ``arguments``; its mistake is its own, and said."""
    try:
        return tuple(check.run(**arguments))
    except Exception as error:  # one check's mistake costs that check only
        _LOG.debug("%s", check.id, exc_info=True)
        return CheckFailed(f"the check failed: {type(error).__name__}: {error}")

"""What stackdoctor knows in this run: checks, log signatures and playbooks, and the plan that they need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stackdoctor.collect.allowed import refuse_unlisted
from stackdoctor.collect.plan import LOG_PROBE, LogScan, Plan, merge_probes
from stackdoctor.diagnose.log_checks import log_checks
from stackdoctor.diagnose.names import NAME_PROBES
from stackdoctor.diagnose.playbook import Playbook, load_playbooks
from stackdoctor.diagnose.registry import GROUP, Check, entry_packages, load_checks, probes_of, select_checks
from stackdoctor.diagnose.roles import ROLE_PROBES
from stackdoctor.errors import UsageError
from stackdoctor.facts.fact import Fact
from stackdoctor.facts.log_sources import LOG_SOURCES
from stackdoctor.facts.signatures import Signature, load_signatures, to_pattern

__all__ = ["Knowledge", "load_knowledge"]


@dataclass(frozen=True)
class Knowledge:
    """``checks`` are the selected ones, those of log signatures included."""

    checks: tuple[Check, ...]
    signatures: tuple[Signature, ...]
    playbooks: tuple[Playbook, ...]

    def plan(self, *, since: float, seconds: float, facts: Iterable[type[Fact]] = ()) -> Plan:
        """What a node is asked so that every selected check can look: logs ``since`` seconds back.

        ``facts`` are wanted besides what the checks ask for.
        Raises UsageError when a check asks for a command outside the list of read-only commands.
        """
        wanted = [*NAME_PROBES, *ROLE_PROBES, *probes_of(self.checks)]
        wanted += [probe for fact in facts for probe in fact.probes]
        probes = merge_probes(p for p in wanted if p != LOG_PROBE)
        refuse_unlisted(probes)
        patterns = tuple(to_pattern(s) for s in self._selected_signatures())
        logs = LogScan(since, LOG_SOURCES, patterns) if patterns else None
        return Plan(probes, logs, seconds=seconds)

    def _selected_signatures(self) -> Iterator[Signature]:
        """Those of selected log checks; all of them when a check reads the log hits itself."""
        ids = {c.id for c in self.checks}
        read_directly = any(
            LOG_PROBE in n.fact.probes for c in self.checks if not c.id.startswith("log.") for n in c.needs
        )
        for signature in self.signatures:
            if read_directly or f"log.{signature.id}" in ids:
                yield signature

    def explainable(self) -> dict[str, Check | Playbook]:
        """Everything that has an id, by id."""
        return {**{c.id: c for c in self.checks}, **{p.cause: p for p in self.playbooks}}


def load_knowledge(
    globs: Iterable[str] = (),
    check_directories: Iterable[Path] = (),
    playbook_directories: Iterable[Path] = (),
) -> Knowledge:
    """Load and check everything; raises UsageError that names the broken file."""
    check_directories = tuple(check_directories)
    signatures = load_signatures(_signature_files(check_directories))
    checks = (*load_checks(check_directories), *log_checks(signatures))
    playbooks = load_playbooks(playbook_directories)
    known = {c.id for c in checks}
    for playbook in playbooks:
        for pattern in playbook.patterns:
            if "*" not in pattern.finding and pattern.finding not in known:
                raise UsageError(
                    f"{playbook.origin}: no check is called {pattern.finding}; `stackdoctor checks` lists them"
                )
    return Knowledge(select_checks(sorted(checks, key=lambda c: c.id), globs), signatures, playbooks)


def _signature_files(directories: Iterable[Path]) -> Iterator[Path]:
    for package in entry_packages(GROUP):
        for place in package.__path__:
            yield from sorted((Path(place) / "logs").glob("*.yaml"))
    for directory in directories:
        yield from sorted(directory.rglob("*.yaml"))

"""What stackdoctor knows in this run: checks, log signatures and playbooks, and the plan that they need."""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from stackdoctor.collect.allowed import refuse_unlisted
from stackdoctor.collect.api_reads import api_reads_of, is_api_probe
from stackdoctor.collect.plan import LOG_PROBE, LogScan, Plan, merge_probes
from stackdoctor.diagnose.log_checks import log_checks
from stackdoctor.diagnose.names import NAME_PROBES
from stackdoctor.diagnose.playbook import Playbook, load_playbooks
from stackdoctor.diagnose.registry import (
    GROUP,
    Check,
    allowed_fact,
    entry_packages,
    load_checks,
    probes_of,
    select_checks,
)
from stackdoctor.diagnose.roles import ROLE_PROBES
from stackdoctor.diagnose.symptom import Symptom, load_symptoms
from stackdoctor.errors import UsageError
from stackdoctor.facts.fact import Fact
from stackdoctor.facts.log_sources import LOG_SOURCES
from stackdoctor.facts.signatures import Signature, load_signatures, to_pattern

__all__ = ["Knowledge", "load_knowledge"]

OWN = "stackdoctor.checks"
"""The package whose signatures the project's own tests have tried."""


@dataclass(frozen=True)
class Knowledge:
    """``checks`` are the selected ones, those of log signatures included; ``known`` are the ids of all there are.

    ``directories`` are those that checks and signatures were loaded from besides the installed ones.
    """

    checks: tuple[Check, ...]
    signatures: tuple[Signature, ...]
    playbooks: tuple[Playbook, ...]
    known: frozenset[str] = frozenset()
    directories: tuple[Path, ...] = ()
    symptoms: tuple[Symptom, ...] = ()

    def plan(
        self, *, since: float, seconds: float, facts: Iterable[type[Fact]] = (), consents: Container[str] = ()
    ) -> Plan:
        """What a node is asked so that every selected check can look: logs ``since`` seconds back.

        ``facts`` are wanted besides what the checks ask for; ``consents`` are what the operator allows to be asked
        besides (``database``).
        Raises UsageError when a check asks for a command outside the list of read-only commands.
        """
        wanted = [*NAME_PROBES, *ROLE_PROBES, *probes_of(self.checks, consents)]
        wanted += [probe for fact in facts if allowed_fact(fact, consents) for probe in fact.probes]
        every = merge_probes(p for p in wanted if p != LOG_PROBE)
        probes = tuple(p for p in every if not is_api_probe(p))
        refuse_unlisted(probes)
        patterns = tuple(to_pattern(s) for s in self._selected_signatures())
        logs = LogScan(since, LOG_SOURCES, patterns) if patterns else None
        return Plan(probes, logs, seconds=seconds, apis=api_reads_of(every))

    def _selected_signatures(self) -> Iterator[Signature]:
        """Those of selected log checks and what says that they are over; all when a check reads the log hits itself."""
        ids = {c.id for c in self.checks}
        ids |= {f"log.{over}" for s in self.signatures if s.finding_id in ids for over in s.recovered_by}
        read_directly = any(
            LOG_PROBE in n.fact.probes for c in self.checks if not c.id.startswith("log.") for n in c.needs
        )
        for signature in self.signatures:
            if read_directly or signature.finding_id in ids:
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
    installed = {file: package.__name__ for package in entry_packages(GROUP) for file in _signature_files(package)}
    written = [file for directory in check_directories for file in sorted(directory.rglob("*.yaml"))]
    proven = {file for file, package in installed.items() if package == OWN}
    signatures = load_signatures([*installed, *written], proven)
    checks = (*load_checks(check_directories), *log_checks(signatures))
    playbooks = load_playbooks(playbook_directories)
    known = {c.id for c in checks}
    for playbook in playbooks:
        for pattern in playbook.patterns:
            if "*" not in pattern.finding and pattern.finding not in known:
                raise UsageError(
                    f"{playbook.origin}: no check is called {pattern.finding}; `stackdoctor checks` lists them"
                )
    symptoms = load_symptoms(playbook_directories)
    _refuse_unknown_symptoms(playbooks, symptoms)
    _refuse_unknown_findings(symptoms, known)
    chosen = select_checks(sorted(checks, key=lambda c: c.id), globs)
    return Knowledge(chosen, signatures, playbooks, frozenset(known), check_directories, symptoms)


def _refuse_unknown_symptoms(playbooks: Iterable[Playbook], symptoms: Iterable[Symptom]) -> None:
    ids = {symptom.id for symptom in symptoms}
    for playbook in playbooks:
        for named in playbook.symptoms:
            if named.finding not in ids:
                near = difflib.get_close_matches(named.finding, ids, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(ids))}"
                raise UsageError(f"{playbook.origin}: no symptom is called {named.finding}: {hint}")


def _refuse_unknown_findings(symptoms: Iterable[Symptom], known: Container[str]) -> None:
    for symptom in symptoms:
        for shown in symptom.shows:
            if "*" not in shown.finding and shown.finding not in known:
                raise UsageError(
                    f"{symptom.origin}: {symptom.id}: no check is called {shown.finding};"
                    " `stackdoctor checks` lists them"
                )


def _signature_files(package: ModuleType) -> Iterator[Path]:
    for place in package.__path__:
        yield from sorted((Path(place) / "logs").glob("*.yaml"))

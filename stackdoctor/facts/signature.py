"""One log signature: what a line in a log means, which keys it gives, and what the node needs of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stackdoctor.collect.plan import LogPattern
from stackdoctor.facts.ere import to_ere
from stackdoctor.model import Severity

__all__ = ["Benign", "Example", "Signature", "names_in", "to_pattern"]

_NAME = re.compile(r"\{(\w+)\}")
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True)
class Example:
    """One real record as it stands in the file, of the release ``era``; ``keys`` are what must be read from it."""

    era: str
    text: str
    keys: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Benign:
    """When the line is nothing to worry about: all of ``when`` (key or "service", regular expression) fit, and
    there are at most ``at_most`` of them (0: any number).  With neither it is a note for the reader only."""

    why: str
    when: tuple[tuple[str, str], ...] = ()
    at_most: int = 0


@dataclass(frozen=True)
class Signature:
    """One kind of log line and what it means.

    ``services`` are globs on the service whose log it is.  ``regex`` is searched in single lines; the
    groups named in ``by`` split the count and become keys.  ``also`` are pairs of a regular expression
    over the whole record (with its traceback) and the keys that it adds, of which the first that matches
    counts; a value may name one of its own groups as ``{group}``.  ``keys`` rename: key of the finding to
    a text of ``{names}``.  ``recovered_by`` are ids of signatures that say that it is over.  With
    ``finding`` false the line is no finding by itself: it ends others, or is a step that traces look for.
    In ``message``, a part in square brackets is left out when one of its ``{names}`` is not known.
    """

    id: str
    services: tuple[str, ...]
    severity: Severity
    regex: str
    message: str
    explain: str
    by: tuple[str, ...] = ()
    also: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    recovered_by: tuple[str, ...] = ()
    finding: bool = True
    benign: tuple[Benign, ...] = ()
    examples: tuple[Example, ...] = ()
    source: str = ""

    @property
    def finding_id(self) -> str:
        """The id of its findings: ``log.`` and its own."""
        return f"log.{self.id}"

    def match(self, record: str) -> dict[str, str] | None:
        """The keys that a node reads from ``record`` (before ``keys`` rename them), or None if it is another."""
        found = next((m for line in record.split("\n") if (m := re.search(self.regex, line, re.ASCII))), None)
        if found is None:
            return None
        read = {name: found[name] for name in self.by if found[name]}
        for regex, added in self.also:
            if other := re.search(regex, record):
                groups = {name: text or "" for name, text in other.groupdict().items()}
                read.update((name, text) for name, value in added if (text := _filled(value, groups)))
                break
        return read

    def line_of(self, record: str) -> str:
        """The line of ``record`` that shows it; the first one where none does."""
        lines = record.split("\n")
        return next((line for line in lines if re.search(self.regex, line, re.ASCII)), lines[0])

    def finding_keys(self, read: Mapping[str, str]) -> dict[str, str]:
        """The keys of the finding, renamed from those that were ``read`` on the node."""
        used = {name for _, value in self.keys for name in _NAME.findall(value)}
        named = {key: text for key, value in self.keys if (text := _filled(value, read))}
        return {key: text for key, text in read.items() if key not in used} | named

    def harmless(self, service: str, count: int, read: Mapping[str, str]) -> str:
        """Why so many hits with the keys ``read`` in the log of ``service`` are harmless; empty if they are not."""
        known = self.finding_keys(read) | {"service": service}
        for benign in self.benign:
            fits = all(re.fullmatch(regex, known.get(key, "")) for key, regex in benign.when)
            if (benign.when or benign.at_most) and fits and (not benign.at_most or count <= benign.at_most):
                return benign.why
        return ""

    def says(self, node: str, service: str, count: int, read: Mapping[str, str]) -> str:
        """The message about hits on ``node`` with the keys ``read`` there."""
        known = self.finding_keys(read) | {"node": node, "service": service, "count": str(count)}
        kept = _OPTIONAL.sub(lambda m: m[1] if known.keys() >= set(_NAME.findall(m[1])) else "", self.message)
        return _NAME.sub(lambda m: known.get(m[1], "unknown"), kept)


def to_pattern(signature: Signature) -> LogPattern:
    """What the node needs of ``signature``; there its expressions are ASCII ones, as the translation is."""
    return LogPattern(
        id=signature.id,
        services=signature.services,
        grep=to_ere(signature.regex),
        regex=_ascii(signature.regex),
        by=signature.by,
        also=signature.also,
    )


def names_in(template: str) -> list[str]:
    """The ``{names}`` that stand in ``template``."""
    return _NAME.findall(template)


def _ascii(regex: str) -> str:
    flags = re.match(r"\(\?([aimsx]+)\)", regex)
    return f"(?a{flags[1].replace('a', '')}){regex[flags.end() :]}" if flags else f"(?a){regex}"


def _filled(template: str, values: Mapping[str, str]) -> str:
    return _NAME.sub(lambda m: values.get(m[1], ""), template)

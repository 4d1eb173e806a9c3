"""Configuration files of OpenStack services as oslo.config reads them: the later file and the later line win.

>>> sorted(parse_options("[vnc]\\nenabled = true\\nserver_listen: 0.0.0.0\\n# virt_type = lxc\\n"))
[('vnc', 'enabled'), ('vnc', 'server_listen')]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stackdoctor.errors import CouldNotCheck
from stackdoctor.facts.table import excerpt
from stackdoctor.model import Evidence, NodeResults, Probe, Status

__all__ = ["Option", "Options", "parse_options", "read_options"]

_COMMENTS = re.compile(r"^[ \t]*[#;][^\n]*\n", re.MULTILINE)
_BLANKS = re.compile(r"\n{3,}")  # what the node leaves of comments; a file as it is installed is hardly more
TRUE = frozenset(("true", "1", "on", "yes"))


@dataclass(frozen=True)
class Option:
    """One option that is set: its last value, all values where it is given more than once, and its line."""

    section: str
    name: str
    values: tuple[str, ...]
    line: str
    evidence: Evidence | None = None

    @property
    def value(self) -> str:
        """The value that holds."""
        return self.values[-1]


@dataclass(frozen=True)
class Options:
    """The options that the files of one service set; what is not set has the program's own default."""

    rows: Mapping[tuple[str, str], Option]
    evidence: Evidence

    def option(self, section: str, *names: str) -> Option | None:
        """The option under the first of ``names`` that is set (its old names come after the new one)."""
        return next((self.rows[section, name] for name in names if (section, name) in self.rows), None)

    def get(self, section: str, *names: str, default: str = "") -> str:
        """Its value, or ``default`` where it is not set."""
        option = self.option(section, *names)
        return default if option is None else option.value

    def true(self, section: str, *names: str, default: bool) -> bool:
        """Its truth value, as oslo.config reads one."""
        option = self.option(section, *names)
        return default if option is None else option.value.lower() in TRUE

    def shown(self, section: str, *names: str) -> Evidence:
        """The line that sets it; the file where none does."""
        option = self.option(section, *names)
        return self.evidence if option is None or option.evidence is None else option.evidence


def parse_options(text: str) -> dict[tuple[str, str], Option]:
    """The options of one file by section and name, with ``_`` in the names; a repeated one has several values.

    Sections as ``[name]``, options as ``name = value`` or ``name: value``, comments after ``#`` or ``;`` at the
    start of a line, and lines that go on begin with a blank (oslo_config/iniparser.py).  What is none of these is
    passed over, as it would keep the service from starting.
    """
    found: dict[tuple[str, str], tuple[list[list[str]], str]] = {}  # the values in pieces, and the last one's line
    section, last = "DEFAULT", None
    for line in _BLANKS.sub("\n\n", _COMMENTS.sub("", text)).split("\n"):
        bare = line.strip()
        if not bare or bare[0] in "#;":
            last = None if not bare else last
        elif line[0] in " \t" and last is not None:
            found[last][0][-1].append(bare)
        elif bare[0] == "[":
            section, last = bare[1:].partition("]")[0].strip(), None
        else:
            cut = min((at for at in (bare.find("="), bare.find(":")) if at > 0), default=0)
            last = None
            if cut:
                name, value = bare[:cut].strip().replace("-", "_"), bare[cut + 1 :].strip()
                if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
                    value = value[1:-1]
                last = section, name
                values = found[last][0] if last in found else []
                values.append([value])
                found[last] = values, excerpt(bare)
    return {
        (section, name): Option(section, name, tuple(_joined(value) for value in values), line)
        for (section, name), (values, line) in found.items()
    }


def _joined(pieces: list[str]) -> str:
    return " ".join(pieces).strip() if len(pieces) > 1 else pieces[0]


def read_options(results: NodeResults, probe: Probe) -> Options:
    """What the files of ``probe`` set together, the later ones of its list winning.

    Raises NotApplicable where there is none of them, and CouldNotCheck where one may not be read: what the others
    say might not hold.
    """
    answers = results.usable(probe)
    for result in results.every(probe):
        if result.status not in (Status.RAN, Status.MISSING):
            raise CouldNotCheck(f"{result.command}: {result.reason or result.status.value}")
    order = {path: at for at, path in enumerate(probe.files)}
    rows: dict[tuple[str, str], Option] = {}
    for result in sorted(answers, key=lambda r: order.get(r.subject, len(order))):
        for key, option in parse_options(result.text).items():
            evidence = results.evidence(result, option.line)
            rows[key] = Option(option.section, option.name, option.values, option.line, evidence)
    return Options(rows, results.evidence(answers[0], ""))

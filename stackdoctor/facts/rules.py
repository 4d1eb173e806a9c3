"""Policy routing rules of the host and of its namespaces (``ip rule``, man ip-rule(8), iproute2 ``ip/iprule.c``).

>>> (row,) = parse_text_rules("32765:\\tnot from 192.0.2.0/24 fwmark 0x1/0xff iif eth0 lookup 16", "")
>>> row.priority, row.source, row.negated, row.mark, row.incoming, row.table
(32765, '192.0.2.0/24', True, '0x1/0xff', 'eth0', '16')
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import Row, integer, json_rows, number, text
from stackdoctor.facts.links_text import value_of
from stackdoctor.facts.namespaces import NETNS_LIST, answers, within
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["HOST_RULES", "NETNS_RULES", "Rule", "Rules", "parse_json_rules", "parse_text_rules"]

HOST_RULES = Probe("rules.host", ("ip", "-j", "rule"), otherwise=(("ip", "rule"),))
NETNS_RULES = within("rules.netns", "ip", "-j", "rule", otherwise=("ip", "rule"))
NOWHERE = Evidence("", "", "")


@dataclass(frozen=True)
class Rule:
    """One IPv4 rule of ``namespace`` ("" is the host): packets from ``source`` look into ``table``.

    ``source`` and ``destination`` are ``all`` or a prefix; ``mark`` is as printed (``0x1`` or ``0x1/0xff``);
    ``table`` is empty where ``action`` (unreachable, prohibit, blackhole, goto ...) decides instead.
    """

    priority: int
    namespace: str
    source: str
    destination: str
    mark: str
    incoming: str
    outgoing: str
    table: str
    action: str
    negated: bool
    evidence: Evidence = NOWHERE

    def __str__(self) -> str:
        return f"rule {self.priority}"

    @property
    def line(self) -> str:
        """The rule in iproute2's own form."""
        words = [f"{self.priority}:", *(["not"] if self.negated else []), "from", self.source]
        for name, value in (("to", self.destination if self.destination != "all" else ""), ("fwmark", self.mark)):
            words += [name, value] if value else []
        for name, value in (("iif", self.incoming), ("oif", self.outgoing), ("lookup", self.table)):
            words += [name, value] if value else []
        return " ".join([*words, self.action]).rstrip()


@dataclass(frozen=True)
class Rules:
    """The rules of a node in the order the kernel tries them; ``absent`` says why a namespace's are not known."""

    rules: tuple[Rule, ...]
    absent: Mapping[str, str] = field(default_factory=dict)
    probes: ClassVar[tuple[Probe, ...]] = (NETNS_LIST, HOST_RULES, NETNS_RULES)

    @classmethod
    def parse(cls, results: NodeResults) -> Rules:
        """The rules; raises NotApplicable without iproute2, CouldNotCheck or ParseError."""
        read = answers(results, NETNS_RULES, HOST_RULES)
        found: list[Rule] = []
        for namespace, result, printed in read.said:
            form = parse_json_rules if printed.lstrip().startswith("[") else parse_text_rules
            for row in sorted(form(printed, namespace), key=lambda rule: rule.priority):
                found.append(replace(row, evidence=results.evidence(result, row.line)))
        return cls(tuple(found), read.absent)

    def within(self, namespace: str = "") -> tuple[Rule, ...]:
        """The rules of one namespace, by priority."""
        return tuple(rule for rule in self.rules if rule.namespace == namespace)


def parse_json_rules(printed: str, namespace: str) -> tuple[Rule, ...]:
    """Rows of ``ip -j rule``.  Raises ParseError."""
    return tuple(_json_rule(row, namespace) for row in json_rows(printed))


def _json_rule(row: Row, namespace: str) -> Rule:
    priority = number(row, "priority")
    if priority is None:
        raise ParseError(f"a rule without priority: {str(dict(row))[:200]}")
    mark, mask = text(row, "fwmark"), text(row, "fwmask")
    return Rule(
        priority,
        namespace,
        _prefix(row, "src"),
        _prefix(row, "dst"),
        f"{mark}/{mask}" if mask else mark,
        text(row, "iif"),
        text(row, "oif"),
        text(row, "table"),
        text(row, "action") or ("goto" if "goto" in row else ""),
        "not" in row,
    )


def _prefix(row: Row, key: str) -> str:
    length = number(row, f"{key}len")
    return text(row, key, "all") + (f"/{length}" if length is not None else "")


def parse_text_rules(printed: str, namespace: str) -> tuple[Rule, ...]:
    """Rows of ``ip rule`` without ``-j``.  Raises ParseError."""
    return tuple(_text_rules(printed, namespace))


def _text_rules(printed: str, namespace: str) -> Iterator[Rule]:
    for line in printed.splitlines():
        if not line.strip():
            continue
        priority, colon, words = line.partition(":")
        number_ = integer(priority)
        if number_ is None or not colon:
            raise ParseError(f"not a rule: {line[:200]}")
        table = value_of(words, "lookup")
        yield Rule(
            number_,
            namespace,
            value_of(words, "from") or "all",
            value_of(words, "to") or "all",
            value_of(words, "fwmark"),
            value_of(words, "iif"),
            value_of(words, "oif"),
            table,
            "" if table else (words.split() or [""])[-1],
            words.split()[:1] == ["not"],
        )

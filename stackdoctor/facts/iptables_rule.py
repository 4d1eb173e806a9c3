"""One line of iptables-save, taken apart: conditions by module, target and its words.

Quoting is that of ``xtables_save_string`` in libxtables/xtables.c: a word that has anything but letters,
digits, ``_`` and ``-`` in it stands in double quotes, with a backslash before quotes and backslashes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

__all__ = ["COUNTERS", "Match", "Option", "Rule"]

COUNTERS = re.compile(r"\[(\d{1,20}):(\d{1,20})\]")
"""Packets and bytes, as they stand before a rule and after a chain's policy."""

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_ESCAPE = re.compile(r"\\(.)")
# These take exactly one word, and print it bare even when it looks like an option: --comment -j
_ONE_WORD = frozenset({"--comment", "--log-prefix", "--nflog-prefix", "--ulog-prefix", "--string", "--hashlimit-name"})


class _Quoted(str):
    """A word that stood in quotes, so that it is never an option or a ``!``."""

    __slots__ = ()


@dataclass(frozen=True)
class Option:
    """One condition: ``--sport`` with its words; ``negated`` by a ``!`` before it (or, in old versions, its words)."""

    name: str
    values: tuple[str, ...]
    negated: bool = False

    def __str__(self) -> str:
        return " ".join((*(("!",) if self.negated else ()), self.name, *self.values))


@dataclass(frozen=True)
class Match:
    """The conditions of one ``-m`` module; those without a module (-s, -d, -i, -o, -p, -f) have the module ``""``."""

    module: str
    options: tuple[Option, ...]

    def __str__(self) -> str:
        words = [str(option) for option in self.options]
        return " ".join(["-m", self.module, *words] if self.module else words)


@dataclass(frozen=True)
class Rule:
    """One rule; ``number`` counts from 1 within its chain, ``line`` is the very text.  Parsed when asked."""

    chain: str
    number: int
    line: str

    def __str__(self) -> str:
        return self.line

    @cached_property
    def _counters(self) -> tuple[int, int]:
        found = COUNTERS.match(self.line)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    @property
    def packets(self) -> int:
        """How many packets matched since the counters were reset; 0 when listed without counters."""
        return self._counters[0]

    @property
    def bytes(self) -> int:
        """How many bytes these packets had."""
        return self._counters[1]

    @cached_property
    def _parts(self) -> tuple[tuple[Match, ...], str, tuple[str, ...], bool]:
        return _parse_rule(_words(self.line.partition(f"-A {self.chain}")[2]))

    @property
    def matches(self) -> tuple[Match, ...]:
        """All conditions, in order; they must all hold."""
        return self._parts[0]

    @property
    def target(self) -> str:
        """What ``-j`` or ``-g`` names: a target or a chain; empty for a rule that only counts."""
        return self._parts[1]

    @property
    def target_args(self) -> tuple[str, ...]:
        """The words after the target, as ``("--zone", "4097")``."""
        return self._parts[2]

    @property
    def goto(self) -> bool:
        """Whether it is ``-g``: the chain it names returns to the caller of this one."""
        return self._parts[3]

    @cached_property
    def comment(self) -> str:
        """The text of ``-m comment``, or nothing."""
        return " ".join(o.values[0] for m in self.matches for o in m.options if o.name == "--comment" and o.values)


def _words(text: str) -> list[str]:
    if '"' not in text:
        return text.split()
    return [
        bare if quoted is None else _Quoted(_ESCAPE.sub(r"\1", quoted))
        for quoted, bare in ((m[1], m[2]) for m in _TOKEN.finditer(text))
    ]


def _parse_rule(words: list[str]) -> tuple[tuple[Match, ...], str, tuple[str, ...], bool]:
    matches: list[tuple[str, list[Option]]] = [("", [])]
    negated = False
    at, end = 0, len(words)
    while at < end:
        word = words[at]
        at += 1
        if word == "!":
            negated = True
        elif word in ("-j", "-g", "--jump", "--goto"):
            goto = word in ("-g", "--goto")
            target = words[at] if at < end else ""
            return _frozen(matches), target, tuple(map(str, words[at + 1 :])), goto
        elif word == "-m":
            matches.append((words[at] if at < end else "", []))
            at += 1
        else:
            # Versions before 1.4.3 put the "!" after the option: -s ! 10.0.0.0/8
            if at < end and words[at] == "!" and at + 1 < end and not words[at + 1].startswith("-"):
                negated = True
                at += 1
            start = at
            if word in _ONE_WORD:
                at = min(at + 1, end)
            else:
                while at < end and not _starts_option(words[at]):
                    at += 1
            of = matches[0][1] if word in _BASE else matches[-1][1]
            of.append(Option(word, tuple(map(str, words[start:at])), negated))
            negated = False
    return _frozen(matches), "", (), False


_BASE = frozenset({"-s", "-d", "-i", "-o", "-p", "-f"})


def _starts_option(word: str) -> bool:
    return not isinstance(word, _Quoted) and (word == "!" or word.startswith("-"))


def _frozen(matches: list[tuple[str, list[Option]]]) -> tuple[Match, ...]:
    return tuple(Match(module, tuple(options)) for module, options in matches if module or options)

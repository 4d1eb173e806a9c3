"""Erlang terms as ``io:format("~p")`` prints them: what RabbitMQ's older tools say, and tables within columns.

>>> term('[{name,<<"rabbit@a">>},{partitions,[{rabbit@a,[rabbit@b]}]},{uptime,5590}]')
[('name', 'rabbit@a'), ('partitions', [('rabbit@a', ['rabbit@b'])]), ('uptime', 5590)]
>>> proplist(term('[{"product","OpenStack"},{"capabilities",[{"connection.blocked",true}]}]'))["product"]
'OpenStack'

Syntax: https://www.erlang.org/doc/reference_manual/data_types.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import decimal, integer
from stackdoctor.facts.table import excerpt

__all__ = ["Term", "proplist", "term"]

Term: TypeAlias = str | int | float | list["Term"] | tuple["Term", ...]
"""Atoms, strings, binaries, pids and references are text; lists are lists, tuples (and map entries) tuples."""

DEPTH = 60

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"[^"\\]*(?:\\.[^"\\]*)*")
    | (?P<atom>'[^'\\]*(?:\\.[^'\\]*)*'|[a-z][\w@.]*)
    | (?P<binary><<(?:"[^"\\]*(?:\\.[^"\\]*)*"(?:/utf8)?|[0-9,\s]*)>>)
    | (?P<opaque>(?:\#(?:PID|Ref|Port|Fun))?<[^<>\s]*>)
    | (?P<number>-?[0-9][0-9.]*(?:e[-+]?[0-9]+)?)
    | (?P<open>\[|\{|\#\{)
    | (?P<close>[]}])
    | (?P<comma>,|=>|\|)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(x\{[0-9A-Fa-f]{1,6}\}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "s": " ", "e": "\x1b", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}


def _unescaped(quoted: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = match[1]
        if code.startswith("x{"):
            point = int(code[2:-1], 16)
            return chr(point) if point <= 0x10FFFF else "�"
        if code[0] in "01234567":
            return chr(int(code, 8))
        return _ESCAPED.get(code, code)

    return _ESCAPE.sub(one, quoted) if "\\" in quoted else quoted


def _scalar(kind: str, word: str) -> Term:
    if kind == "string" or (kind == "atom" and word.startswith("'")):
        return _unescaped(word[1:-1])
    if kind == "binary":
        inner = word[2:-2].removesuffix("/utf8").strip()
        if inner.startswith('"'):
            return _unescaped(inner[1:-1])
        numbers = [integer(part.strip()) for part in inner.split(",")] if inner else []
        if any(number is None or not 0 <= number < 256 for number in numbers):
            raise ParseError(f"not an Erlang binary: {excerpt(word)}")
        return bytes(number for number in numbers if number is not None).decode("utf-8", "replace")
    if kind == "number":
        mantissa, _, exponent = word.partition("e")
        value: int | float | None = integer(word)
        if value is None and (base := decimal(mantissa)) is not None and len(exponent) <= 4:
            value = base * 10.0 ** int(exponent or "0") if abs(int(exponent or "0")) < 300 else None
        if value is None:
            raise ParseError(f"not an Erlang number: {excerpt(word)}")
        return value
    return word


def term(text: str) -> Term:
    """The one Erlang term that ``text`` is, linear in its length.  Raises ParseError."""
    # each level: its opening token and what it holds so far; the outermost holds the answer
    levels: list[tuple[str, list[Term]]] = [("", [])]
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at, end)
        if match is None or match.end() == at:
            raise ParseError(f"not an Erlang term at character {at}: {excerpt(text[at : at + 80])}")
        at = match.end()
        kind, word = str(match.lastgroup), match[str(match.lastgroup)]
        if kind == "open":
            if len(levels) > DEPTH:
                raise ParseError(f"Erlang term nested deeper than {DEPTH}")
            levels.append((word, []))
        elif kind == "close":
            opening, held = levels.pop()
            if not levels or (opening == "[") != (word == "]"):
                raise ParseError(f"unbalanced Erlang term at character {at}")
            if opening == "#{":
                held = list(zip(held[::2], held[1::2], strict=False))
            levels[-1][1].append(tuple(held) if opening == "{" else held)
        elif kind != "comma":
            levels[-1][1].append(_scalar(kind, word))
    if len(levels) != 1 or len(levels[0][1]) != 1:
        raise ParseError("an Erlang term is cut off" if len(levels) > 1 else "not one Erlang term")
    return levels[0][1][0]


def proplist(value: Term) -> Mapping[str, Term]:
    """The entries of a list of ``{Key, Value}`` (or ``{Key, Type, Value}``) by key; others are left out."""
    entries: dict[str, Term] = {}
    for entry in value if isinstance(value, list) else []:
        if isinstance(entry, tuple) and len(entry) in (2, 3) and isinstance(entry[0], str):
            entries.setdefault(entry[0], entry[-1])
    return entries

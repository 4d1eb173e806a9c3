"""From a Python regular expression to a POSIX extended one that matches at least the same lines.

``LC_ALL=C grep -E`` goes through a day of logs some fifty times faster than Python's ``re`` does; what it
lets through is matched again in Python, so the translation may widen and must never narrow.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["nested_repeat", "to_ere"]

_parser: Any = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")

_LITERAL: Any = _parser.LITERAL  # most of every expression
_HIGHEST_COUNT = 255  # RE_DUP_MAX of POSIX
_LARGEST = 4000  # positions that one expression may unfold to before grep refuses it as too big
_ASCII_IGNORECASE = 2
_LETTERS = frozenset(range(65, 91)) | frozenset(range(97, 123))
_CATEGORIES = {
    "CATEGORY_DIGIT": frozenset(range(48, 58)),
    "CATEGORY_SPACE": frozenset(b" \t\n\r\f\v"),
    "CATEGORY_WORD": _LETTERS | frozenset(range(48, 58)) | {95},
}
_NAMED = (("[:alnum:]", _LETTERS | frozenset(range(48, 58))), ("[:space:]", frozenset(b" \t\r\f\v")))
_RUNS = (frozenset(range(48, 58)), frozenset(range(65, 91)), frozenset(range(97, 123)))
_SPECIAL = frozenset(map(ord, "\\.[]()*+?{}^$|"))


@dataclass(frozen=True)
class _Piece:
    """A part of the result: its text, whether it is one atom, how much it demands, its unfolded size."""

    text: str
    atom: bool = False
    demands: int = 0  # characters of a known kind that every match has
    size: int = 1
    wide: bool = False  # one Python character that may be several bytes


_NOTHING = _Piece("", size=0)
_ANY = _Piece(".", atom=True, wide=True)


def to_ere(regex: str) -> str:
    r"""The extended regular expression for GNU ``LC_ALL=C grep -E`` that matches at least what ``regex`` does.

    It is about single lines, and ``\d``, ``\s``, ``\w`` have their ASCII meaning (``re.ASCII``).  Look-arounds
    are dropped, back-references match anything, lazy repeats are greedy.  Raises ValueError, with what to
    do, when ``regex`` does not compile, or when it (or one of its alternatives) would match every line.

    >>> to_ere(r"(?i:oom) at (?P<pid>\d+?)(?= )")
    '([Oo][Oo][Mm]) at ([0-9]+)'
    """
    try:
        tree = _parser.parse(regex, 256)  # re.ASCII
    except (_parser.error, OverflowError, RecursionError, ValueError) as error:
        raise ValueError(f"{regex!r} is not a Python regular expression: {error}") from None
    ignore_case = bool(tree.state.flags & _ASCII_IGNORECASE)
    alternatives = _alternatives(tree)
    pieces = [_sequence(items, ignore_case, anchors=True) for items in alternatives]
    for piece in pieces:
        if not piece.demands:
            which = f"the alternative that becomes {piece.text!r} of {regex!r}" if len(pieces) > 1 else repr(regex)
            raise ValueError(f"{which} would match every line: give it some text that a line must have")
    return "|".join(piece.text for piece in pieces)


def nested_repeat(regex: str) -> bool:
    """Whether ``regex`` (which compiles) repeats something that itself repeats without end: ``(a+)+``.

    Such an expression can take time exponential in the length of a hostile line.
    """
    return _nests(_parser.parse(regex, 256), inside=False)


def _alternatives(tree: Iterable[Any]) -> list[list[Any]]:
    """The top-level alternatives; the parser has already moved what they begin with in common to the front."""
    items = list(tree)
    if len(items) == 1 and str(items[0][0]) == "BRANCH":
        return [list(branch) for branch in items[0][1][1]]
    return [items]


def _sequence(items: Iterable[Any], ignore_case: bool, anchors: bool) -> _Piece:
    pieces = [
        _literal(argument, ignore_case) if op is _LITERAL else _item(str(op), argument, ignore_case, anchors)
        for op, argument in items
    ]
    text = "".join(p.text + ("+" if p.wide else "") for p in pieces)
    real = [p for p in pieces if p.text]
    return _Piece(
        text,
        atom=len(real) == 1 and real[0].atom and not real[0].wide,
        demands=sum(p.demands for p in pieces),
        size=sum(p.size for p in pieces),
    )


def _item(op: str, argument: Any, ignore_case: bool, anchors: bool) -> _Piece:
    if op == "NOT_LITERAL":
        return _bracket(_fold({argument}, ignore_case), inverted=True)
    if op == "ANY":
        return _ANY
    if op == "IN":
        return _set(argument, ignore_case)
    if op == "BRANCH":
        return _either([_sequence(branch, ignore_case, anchors) for branch in argument[1]])
    if op == "SUBPATTERN":
        _, added, removed, inner = argument
        ignore_case = (ignore_case or bool(added & _ASCII_IGNORECASE)) and not removed & _ASCII_IGNORECASE
        return _group(_sequence(inner, ignore_case, anchors))
    if op in ("ATOMIC_GROUP", "POSSESSIVE_REPEAT"):
        raise ValueError("nodes with a Python before 3.11 do not know atomic groups and possessive repeats")
    if op in ("MAX_REPEAT", "MIN_REPEAT"):
        low, high, inner = argument
        # An anchor under a repeat is one that a match may do without.
        return _repeat(_sequence(inner, ignore_case, anchors=False), low, high, _one_wide(inner, ignore_case))
    if op == "AT":
        return _anchor(str(argument)) if anchors else _NOTHING
    if op == "GROUPREF":
        return _Piece(".*")
    if op == "GROUPREF_EXISTS":
        branches = [_sequence(branch or (), ignore_case, anchors) for branch in argument[1:]]
        return _either(branches)
    return _NOTHING  # ASSERT, ASSERT_NOT: what they ask for is asked again in Python


@functools.lru_cache(1024)
def _literal(code: int, ignore_case: bool) -> _Piece:
    if code == 10:
        raise ValueError("a line has no newline in it: match one line, and look at the others with `also`")
    if code == 0 or code > 127:
        return _Piece(".", atom=True, wide=True)
    if ignore_case and code in _LETTERS:
        return _bracket(_fold({code}, True), inverted=False)
    return _Piece(("\\" if code in _SPECIAL - {93, 125} else "") + chr(code), atom=True, demands=1)


def _set(items: Sequence[Any], ignore_case: bool) -> _Piece:
    members: set[int] = set()
    beyond = inverted = False
    for op, argument in items:
        name = str(op)
        if name == "NEGATE":
            inverted = True
        elif name == "LITERAL":
            members.add(argument)
        elif name == "RANGE":
            members.update(range(argument[0], min(argument[1], 128) + 1))
            beyond |= argument[1] > 127
        elif str(argument).startswith("CATEGORY_NOT_"):
            members.update(frozenset(range(128)) - _CATEGORIES[str(argument).replace("_NOT_", "_")])
            beyond = True
        else:
            members.update(_CATEGORIES[str(argument)])
    members = _fold(members, ignore_case)
    if inverted:
        # A character outside ASCII that the set excludes shares its bytes with others that it does not.
        return _bracket(members, inverted=True)
    if beyond or any(code > 127 for code in members):
        return _bracket(set(range(128)) - members, inverted=True)
    return _bracket(members, inverted=False)


def _fold(members: set[int], ignore_case: bool) -> set[int]:
    return members | {code ^ 32 for code in members if code in _LETTERS} if ignore_case else members


def _bracket(members: Iterable[int], inverted: bool) -> _Piece:
    """A bracket expression of ASCII characters; an inverted one also matches every byte beyond ASCII."""
    left = {code for code in members if 0 < code < 128 and code != 10}
    if not left:
        # Either everything, or nothing that a line can have (which may be widened).
        return _ANY
    if not inverted and len(left) == 1 and (only := next(iter(left))) not in _SPECIAL:
        return _Piece(chr(only), atom=True, demands=1)
    parts = []
    for name, named in _NAMED:
        if named <= left:
            parts.append(name)
            left -= named
    for run in _RUNS:
        parts.extend(_ranges(sorted(run & left)))
        left -= run
    first = "]" if 93 in left else ""
    last = "".join(c for c in "^-" if ord(c) in left)
    middle = "".join(map(chr, sorted(left - {93, 94, 45})))
    if not inverted and not first and not parts and not middle and last.startswith("^"):
        first, last = ("-", "^") if "-" in last else ("", "")
        if not first:
            return _Piece("\\^", atom=True, demands=1)
    text = first + "".join(parts) + middle + last
    return _Piece(f"[{'^' if inverted else ''}{text}]", atom=True, demands=0 if inverted else 1, wide=inverted)


def _ranges(codes: Sequence[int]) -> list[str]:
    found: list[str] = []
    start = 0
    for index in range(1, len(codes) + 1):
        if index == len(codes) or codes[index] != codes[index - 1] + 1:
            run = "".join(map(chr, codes[start:index]))
            found.append(run if len(run) < 3 else f"{run[0]}-{run[-1]}")
            start = index
    return found


def _group(piece: _Piece) -> _Piece:
    if not piece.text:
        return piece
    return _Piece(f"({piece.text})", atom=True, demands=piece.demands, size=piece.size)


def _either(branches: Sequence[_Piece]) -> _Piece:
    texts = list(dict.fromkeys(branch.text for branch in branches if branch.text))
    if not texts:
        return _NOTHING
    optional = any(not branch.text for branch in branches)
    return _Piece(
        f"({'|'.join(texts)})" + ("?" if optional else ""),
        atom=not optional,
        demands=min(branch.demands for branch in branches),
        size=sum(branch.size for branch in branches),
    )


def _one_wide(inner: Iterable[Any], ignore_case: bool) -> _Piece | None:
    items = list(inner)
    if len(items) == 1:
        piece = _item(str(items[0][0]), items[0][1], ignore_case, anchors=False)
        return piece if piece.wide else None
    return None


def _repeat(piece: _Piece, low: int, high: int, wide: _Piece | None) -> _Piece:
    if not piece.text or high == 0:
        return _NOTHING
    text = wide.text if wide else piece.text if piece.atom else f"({piece.text})"
    bounded = high <= _HIGHEST_COUNT and piece.size * max(high, 1) <= _LARGEST
    if wide and bounded:
        bounded = high == 1 and low == 0  # a character may be up to four bytes: at least so many
        high = 1
        if bounded:
            return _Piece(f"{text}*", size=1)
    times = min(low, _HIGHEST_COUNT)
    if piece.size * max(times, 1) > _LARGEST:
        times = 1
    if bounded:
        count = {(0, 1): "?", (1, 1): ""}.get((times, high), f"{{{times}}}" if times == high else f"{{{times},{high}}}")
    else:
        count = {0: "*", 1: "+"}.get(times, f"{{{times},}}")
    unfolded = piece.size * (high if bounded else times + 1)
    return _Piece(text + count, atom=not count, demands=piece.demands * times, size=unfolded)


def _anchor(where: str) -> _Piece:
    if where in ("AT_BEGINNING", "AT_BEGINNING_STRING", "AT_BEGINNING_LINE"):
        return _Piece("^", size=0)
    if where in ("AT_END", "AT_END_STRING", "AT_END_LINE"):
        return _Piece("[[:space:]]*$", size=1)  # the line may have come with a carriage return
    return _NOTHING  # word boundaries


def _nests(items: Iterable[Any], inside: bool) -> bool:
    for op, argument in items:
        name = str(op)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            endless = argument[1] > _HIGHEST_COUNT
            if (endless and inside) or _nests(argument[2], inside or argument[1] > 1):
                return True
        elif name == "SUBPATTERN":
            if _nests(argument[3], inside):
                return True
        elif name == "BRANCH":
            if any(_nests(branch, inside) for branch in argument[1]):
                return True
        elif name in ("ASSERT", "ASSERT_NOT"):
            if _nests(argument[1], inside):
                return True
        elif name == "GROUPREF_EXISTS" and any(_nests(branch or (), inside) for branch in argument[1:]):
            return True
    return False

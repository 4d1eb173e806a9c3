"""Text from a node made inert: what a terminal would obey or hide becomes visible.

A log line, a queue or an instance's name can hold anything that somebody could make a service write: escape
sequences (ECMA-48) that move the cursor or set the window's title, the C1 controls that do the same in one
character, and the bidirectional overrides and invisible characters of Unicode TR 36 and TR 39 that show
another text than the one that is there.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["flat", "inert", "plain"]

# Printable to Python and yet without a glyph: fillers, variation selectors, joiners (Default_Ignorable_Code_Point).
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_BLANKS = re.compile(r"[ \n]+")
_TAB = 8
_MARKS = 3
_LINE = 4096
_SCREENS = 8192


def plain(text: str, width: int | None = None) -> str:
    r"""``text`` as one line of characters that each show themselves; no terminal does anything but print it.

    Control characters, ESC, C1, bidirectional and zero-width characters, unusual spaces, surrogates and what
    is no character at all become the escapes of a Python string, line ends included: who wants lines splits
    first.  Tabs become spaces.  More than three combining marks on one character are escaped as well.  A
    line longer than ``width`` characters is cut, and says by how much.

    >>> plain("\x1b[2Jgone\u202e\tlog")
    '\\x1b[2Jgone\\u202e       log'
    >>> plain("a" * 20, width=5)
    'aaaaa… (+15 characters)'
    """
    more = 0
    if width is not None and len(text) > width:
        more, text = len(text) - width, text[:width]
    if not (text.isascii() and text.isprintable()):
        text = _escaped(text).expandtabs(_TAB)
        if width is not None and len(text) > width:
            more, text = more + len(text) - width, text[:width]
    return f"{text}… (+{more} character{'s' if more > 1 else ''})" if more else text


def inert(text: str, limit: int = _LINE) -> str:
    r"""``text`` with its lines kept and all else in it that a reader would obey or not see made visible.

    >>> inert("a\x1b[2J\r\nb")
    'a\\x1b[2J\nb'
    """
    return "\n".join(plain(line.rstrip("\r"), limit) for line in text.split("\n"))


def flat(text: str) -> str:
    """Prose as one line of at most some screens."""
    return plain(_BLANKS.sub(" ", text[: 2 * _SCREENS]).strip(), _SCREENS)


def _escaped(text: str) -> str:
    shown = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if character == "\t" or (character.isprintable() and marks <= _MARKS and not _INVISIBLE.match(character)):
            shown.append(character)
        else:
            shown.append(ascii(character)[1:-1])
    return "".join(shown)

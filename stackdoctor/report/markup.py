"""Text as Markdown: either no character of it means anything to a renderer, or it stands in code.

In code nothing is a link, an image, HTML, a mention of a person or of another ticket.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackdoctor.report.hostile import flat

__all__ = ["block", "code", "words"]

_LONG = 4096

_PROSE = re.compile(r"[A-Za-z0-9 .,;:()'/%×·…–→+=?*_|-]*")
_SPECIAL = re.compile(r"([*_|])")
# what would begin a list, a heading's underline or a number
_BEGINS = re.compile(r"^(\d*)(?=[-+=.)])")
_LINK = re.compile(r"://|www\.|(?:^|[^A-Za-z0-9])(?:GH-|[A-Z][A-Z0-9]+-)\d", re.I)


def words(text: str) -> str:
    """Prose: as it is where no character in it means anything to a renderer, code otherwise."""
    text = flat(text)
    if not _PROSE.fullmatch(text) or _LINK.search(text):
        return code(text)
    return _SPECIAL.sub(r"\\\1", _BEGINS.sub(r"\1\\", text))


def code(text: str) -> str:
    """A code span of one line, fenced by more backticks than there are together in it."""
    text = flat(text)[:_LONG]
    if not text:
        return "(empty)"
    fence = _fence(text, 1)
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def block(text: str) -> Iterator[str]:
    """A fenced block and an empty line after it."""
    fence = _fence(text, 3)
    yield f"{fence}text"
    yield from text.split("\n")
    yield fence
    yield ""


def _fence(text: str, least: int) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(longest + 1, least)

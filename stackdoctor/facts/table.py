"""Tables that programs print, read by their header and their real separator; an unknown header is refused.

>>> [cells["messages"] for cells, line in tabbed("name\\tmessages\\nconductor\\t3\\n", ("name", "messages"))]
['3']
>>> [cells["messages"] for cells, line in tabbed("conductor\\t3\\n", ("name", "messages"))]
['3']
>>> list(tabbed("conductor 3\\n", ("name", "messages")))
Traceback (most recent call last):
    ...
stackdoctor.errors.ParseError: 1 columns where 2 were asked for: conductor 3
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import integer

__all__ = ["excerpt", "header", "tabbed", "whole"]

EXCERPT = 160


def excerpt(line: str) -> str:
    """``line`` as a message quotes it."""
    return line if len(line) <= EXCERPT else line[: EXCERPT - 1] + "…"


def whole(word: str) -> int:
    """A decimal whole number.  Raises ParseError for anything else."""
    value = integer(word)
    if value is None:
        raise ParseError(f"not a number: {excerpt(word)!r}")
    return value


def header(line: str, *forms: tuple[str, ...]) -> tuple[str, ...]:
    """The one of ``forms`` whose words are those of the header ``line``.  Raises ParseError."""
    words = tuple(line.split())
    for form in forms:
        if words == tuple(word for name in form for word in name.split()):
            return form
    raise ParseError(f"unknown header: {excerpt(line)}")


def tabbed(text: str, *forms: tuple[str, ...]) -> Iterator[tuple[Mapping[str, str], str]]:
    """The rows of a table with tabs between its columns, each with its line.

    Where the first line holds all names of one of ``forms`` it is the header, and the columns are called
    as it says; a table without header has the columns of the form with as many of them.  Raises
    ParseError for a row with other columns.
    """
    names: tuple[str, ...] | None = None
    by_width = {len(form): form for form in reversed(forms)}
    for line in text.split("\n"):
        if not line:
            continue
        cells = line.split("\t")
        if names is None:
            if any(set(form) <= set(cells) for form in forms):
                names = tuple(cells)
                continue
            names = by_width.get(len(cells))
            if names is None:
                asked = " or ".join(str(width) for width in sorted(by_width))
                raise ParseError(f"{len(cells)} columns where {asked} were asked for: {excerpt(line)}")
        if len(cells) != len(names):
            raise ParseError(f"{len(cells)} columns where the table has {len(names)}: {excerpt(line)}")
        yield dict(zip(names, cells, strict=True)), line

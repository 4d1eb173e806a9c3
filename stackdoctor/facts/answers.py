"""Reading one answer of a node: its text, its JSON rows, or the sentence that says why there is none.

>>> rows = json_rows('[{"ifname": "lo", "mtu": 65536}, {}]')
>>> text(rows[0], "ifname"), number(rows[0], "mtu"), number(rows[0], "index")
('lo', 65536, None)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias, cast

from stackdoctor.errors import CouldNotCheck, ParseError
from stackdoctor.model import Result, Status

__all__ = [
    "Row",
    "decimal",
    "integer",
    "json_rows",
    "json_value",
    "nested",
    "number",
    "output",
    "rows_in",
    "said",
    "text",
]

Row: TypeAlias = Mapping[str, object]

LINE_LIMIT = 400
DIGITS = 18


def said(result: Result) -> str:
    """The first line that a failed command printed on standard error, or else on standard output; may be empty."""
    for stream in (result.stderr, result.stdout):
        for line in stream[:8192].decode("utf-8", "replace").splitlines():
            if line.strip():
                return line.strip()[:LINE_LIMIT]
    return ""


def output(result: Result) -> str:
    """Standard output of a command that succeeded, whole.  Raises CouldNotCheck with the sentence that says why not."""
    if result.status is Status.TRUNCATED:
        raise CouldNotCheck(f"{result.command}: its output was cut after {len(result.stdout)} bytes")
    if result.status is not Status.RAN:
        raise CouldNotCheck(f"{result.command}: {result.reason or result.status.value}")
    if result.exit:
        raise CouldNotCheck(f"{result.command}: exit status {result.exit}: {said(result)}")
    return result.text


def integer(word: str) -> int | None:
    """A decimal number of at most 18 ASCII digits, with an optional minus sign; None for anything else."""
    digits = word if word.isdigit() else word.removeprefix("-")
    return int(word) if digits.isdigit() and digits.isascii() and len(digits) <= DIGITS else None


@lru_cache(4096)  # of a list of processes most are 0.0
def decimal(word: str) -> float | None:
    """A decimal fraction such as ``12.50``; None for anything else (an empty column, ``nan``)."""
    whole, _, fraction = word.partition(".")
    if integer(whole) is None or (fraction and (integer(fraction) is None or fraction.startswith("-"))):
        return None
    return float(word)


def json_value(document: str) -> object:
    """The value that JSON ``document`` holds; half a surrogate pair becomes ``?``.  Raises ParseError."""
    try:
        value: object = json.loads(document)
        if re.search(r"\\u[dD][89a-fA-F]", document):
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
        return value
    except (ValueError, RecursionError) as error:
        raise ParseError(f"not JSON: {str(error)[:LINE_LIMIT]}") from error


def rows_in(value: object) -> tuple[Row, ...]:
    """The objects of a JSON array, without empty ones (iproute2 prints ``{}`` for what it filtered out)."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise ParseError("JSON, but not an array of objects")
    return tuple(cast(Row, row) for row in value if row)


def json_rows(document: str) -> tuple[Row, ...]:
    """The objects of the JSON array ``document``; nothing at all (iproute2 4.x with no entries) is no rows."""
    return rows_in(json_value(document)) if document.strip() else ()


def text(row: Row, key: str, default: str = "") -> str:
    """The string under ``key``; raises ParseError if it is something else."""
    value = row.get(key)
    if value is None:
        return default
    if not isinstance(value, str):
        raise ParseError(f"{key!r} is not text: {str(value)[:80]}")
    return value


def number(row: Row, key: str) -> int | None:
    """The whole number under ``key``, None if absent; raises ParseError if it is something else."""
    value = row.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise ParseError(f"{key!r} is not a number: {str(value)[:80]}")
    return value


def nested(row: Row, key: str) -> Row:
    """The object under ``key``, empty if absent; raises ParseError if it is something else."""
    value = row.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ParseError(f"{key!r} is not an object: {str(value)[:80]}")
    return cast(Row, value)

"""The JSON in which Open vSwitch's database tools print a table (ovsdb-server(7), RFC 7047 section 5.1).

A value is an atom, ``["uuid", "..."]``, ``["set", [...]]`` or ``["map", [[key, value], ...]]``; a set of one member
is printed as that member, and one of none stands for a column that is not set:

>>> (row,) = table('{"headings": ["tag", "ports", "options"], "data": [[["set", []], ["uuid", "5d51"], ["map", []]]]}')
>>> whole(row, "tag"), members(row, "ports"), mapping(row, "options")
(None, ('5d51',), {})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import json_value

__all__ = ["Row", "flag", "mapping", "members", "table", "whole", "word"]

Row: TypeAlias = Mapping[str, object]


def table(document: str) -> tuple[Row, ...]:
    """The rows of one table, by heading.  Raises ParseError."""
    value = json_value(document)
    headings = value.get("headings") if isinstance(value, dict) else None
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(headings, list) or not isinstance(data, list):
        raise ParseError(f"not a table of Open vSwitch: {document[:200]}")
    rows: list[Row] = []
    for cells in data:
        if not isinstance(cells, list) or len(cells) != len(headings):
            raise ParseError(f"not a row of {len(headings)} columns: {str(cells)[:200]}")
        rows.append({str(heading): _value(cell) for heading, cell in zip(headings, cells, strict=True)})
    return tuple(rows)


def _value(cell: object) -> object:
    if not isinstance(cell, list):
        return cell
    match cell:
        case ["uuid" | "named-uuid", str(id_)]:
            return id_
        case ["set", list(found)]:
            return tuple(_value(member) for member in found) or None
        case ["map", list(pairs)] if all(isinstance(p, list) and len(p) == 2 for p in pairs):
            return {str(_value(key)): str(_value(value)) for key, value in pairs}
    raise ParseError(f"not a value of Open vSwitch's database: {str(cell)[:200]}")


def word(row: Row, column: str) -> str:
    """The text in a column; empty where it is not set or not there.  Raises ParseError for anything else."""
    value = row.get(column)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ParseError(f"{column!r} is not text: {str(value)[:80]}")
    return value


def whole(row: Row, column: str) -> int | None:
    """The whole number in a column; None where it is not set or not there.  Raises ParseError."""
    value = row.get(column)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise ParseError(f"{column!r} is not a number: {str(value)[:80]}")
    return value


def flag(row: Row, column: str) -> bool | None:
    """Yes or no in a column; None where it is not set or not there.  Raises ParseError."""
    value = row.get(column)
    if value is not None and not isinstance(value, bool):
        raise ParseError(f"{column!r} is not true or false: {str(value)[:80]}")
    return value


def members(row: Row, column: str) -> tuple[str, ...]:
    """The members of a set of names or identifiers.  Raises ParseError."""
    value = row.get(column)
    found = () if value is None else value if isinstance(value, tuple) else (value,)
    if not all(isinstance(member, str) for member in found):
        raise ParseError(f"{column!r} is not a set of names: {str(value)[:80]}")
    return tuple(str(member) for member in found)


def mapping(row: Row, column: str) -> Mapping[str, str]:
    """The pairs of a map.  Raises ParseError."""
    value = row.get(column)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ParseError(f"{column!r} is not a map: {str(value)[:80]}")
    return {str(key): str(held) for key, held in value.items()}

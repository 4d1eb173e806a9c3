"""What rabbitmqctl prints, in its three dialects: tables with tabs, JSON (3.7 and later), Erlang terms (to 3.7).

The tables of 3.5 and 3.6 have no header, those of 3.7 and later have one; 3.5 ends them with ``...done.``
unless ``-q`` is given.  An empty table has neither header nor rows.  From rabbit_control_main.erl (3.5, 3.6)
and rabbitmq_cli's ``formatters/`` (3.7 and later).
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from stackdoctor.errors import ParseError
from stackdoctor.facts import answers
from stackdoctor.facts.erlang import proplist, term
from stackdoctor.facts.table import excerpt, tabbed, whole
from stackdoctor.model import Result

__all__ = [
    "RABBITMQCTL",
    "RABBITMQCTL_ENV",
    "ErlangPid",
    "Record",
    "amqp_table",
    "body",
    "count",
    "erlang_pid",
    "flag",
    "names_of",
    "peer",
    "plain",
    "records",
    "text_of",
]

Record: TypeAlias = Mapping[str, object]

RABBITMQCTL = ("rabbitmqctl", "-q")

RABBITMQCTL_ENV = (("ERL_FLAGS", "-start_epmd false"), ("ERL_CRASH_DUMP_SECONDS", "0"))
"""Without these rabbitmqctl leaves an epmd behind on a node without a broker, and a dump where it fails (erl(1))."""

_BANNER = re.compile(r"(?:Timeout: |Listing |Status of node |Cluster status of node |Asking node )")
_DONE = "...done."
_STYLE = re.compile(r"\x1b\[[0-9;]{0,12}m")
_PID = re.compile(r"<(?:(?P<node>.+)\.)?(?P<first>\d{1,18})\.(?P<number>\d{1,18})\.(?P<serial>\d{1,18})>")


@dataclass(frozen=True)
class ErlangPid:
    """A process of the broker.  Only the last two numbers are the same in tables and in JSON.

    Tables print ``<rabbit@controller.1795363531.593.0>`` with the node and its creation, JSON prints
    ``#PID<12575.593.0>`` where the first number is the asking program's own name for the node, so that
    ``node`` is empty.
    """

    node: str
    number: int
    serial: int


def erlang_pid(value: object) -> ErlangPid:
    """The process that ``value`` names.  Raises ParseError.

    >>> erlang_pid("<'rabbit@openstack-01'.1.652.0>")
    ErlangPid(node='rabbit@openstack-01', number=652, serial=0)
    >>> erlang_pid("#PID<12575.593.0>")
    ErlangPid(node='', number=593, serial=0)
    """
    match = _PID.fullmatch(value.removeprefix("#PID")) if isinstance(value, str) and len(value) < 600 else None
    if match is None:
        raise ParseError(f"not an Erlang pid: {excerpt(str(value))!r}")
    return ErlangPid((match["node"] or "").strip("'"), int(match["number"]), int(match["serial"]))


def plain(text: str) -> str:
    """``text`` without the terminal's bold and colour."""
    return _STYLE.sub("", text)


def body(result: Result) -> str:
    """What rabbitmqctl answered, without its banner and ``...done.``.  Raises CouldNotCheck if it failed or was cut."""
    text = answers.output(result).strip("\n")
    while _BANNER.match(text):
        _, _, text = text.partition("\n")
    if text == _DONE or text.endswith("\n" + _DONE):
        text = text[: -len(_DONE)]
    return text.strip("\n")


def records(result: Result, *forms: tuple[str, ...]) -> list[tuple[Record, str]]:
    """The rows that rabbitmqctl lists, by column, each with its line; ``forms`` are the columns that were asked for.

    In JSON every value has its type, in a table it is text.  Raises CouldNotCheck or ParseError.
    """
    text = body(result)
    if not text.startswith(("[", "{")):
        return list(tabbed(text, *forms))
    rows = answers.rows_in(answers.json_value(text))
    lines = [line.lstrip(",") for line in text.split("\n") if line.startswith(("{", ",{"))]
    if len(lines) != len(rows):
        lines = [json.dumps(row) for row in rows]
    for row in rows:
        if not any(row.keys() >= set(form) for form in forms):
            raise ParseError(f"{result.command}: columns are missing: {excerpt(json.dumps(row))}")
    return list(zip(rows, lines, strict=True))


def count(row: Record, key: str) -> int:
    """The whole number in column ``key``; 0 where it is empty or absent (a queue that is down has no counts)."""
    value = row.get(key, "")
    if value is None or value == "":
        return 0
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ParseError(f"{key} is not a number: {excerpt(str(value))!r}")
    return value if isinstance(value, int) else whole(value)


def flag(row: Record, key: str) -> bool:
    """The truth in column ``key``; False where it is empty or absent."""
    value = row.get(key, "")
    if isinstance(value, bool):
        return value
    if value in ("true", "false", "", None):
        return value == "true"
    raise ParseError(f"{key} is neither true nor false: {excerpt(str(value))!r}")


def amqp_table(value: object) -> Mapping[str, object]:
    """An AMQP table (arguments, client properties) from JSON or from an Erlang term; empty where it cannot be read.

    Nested tables are left as they are.

    >>> amqp_table([["x-expires", "signedint", 1800000]]) == amqp_table('[{"x-expires",1800000}]')
    True
    """
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        try:
            return proplist(term(value)) if value else {}
        except ParseError:
            # a client may call itself what it likes, and shall not hide the others by it
            return {}
    entries: dict[str, object] = {}
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, list) and len(entry) == 3 and isinstance(entry[0], str):
            entries[entry[0]] = entry[2]
    return entries


def peer(value: object) -> str:
    """A client's address: JSON prints it as its numbers, and IPv4 over IPv6 sockets is the IPv4 address.

    >>> peer([192, 168, 199, 10]), peer("::ffff:192.0.2.7"), peer([0, 0, 0, 0, 0, 65535, 49152, 519])
    ('192.168.199.10', '192.0.2.7', '192.0.2.7')
    """
    if isinstance(value, list) and all(type(part) is int and 0 <= part <= 0xFFFF for part in value):
        value = ".".join(map(str, value)) if len(value) == 4 else ":".join(f"{part:x}" for part in value)
    if not isinstance(value, str):
        raise ParseError(f"not an address: {str(value)[:80]}")
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return value
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def text_of(value: object) -> str:
    """Text, or the list of characters that 3.7's JSON makes of it."""
    if isinstance(value, list) and all(isinstance(code, int) and 0 < code < 0xD800 for code in value):
        return "".join(map(chr, value))
    return value if isinstance(value, str) else ""


def names_of(value: object) -> tuple[str, ...]:
    """The names in a list; nothing else of it."""
    return tuple(name for name in value if isinstance(name, str)) if isinstance(value, list) else ()

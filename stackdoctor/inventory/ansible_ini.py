"""Ansible inventories as INI: ``[group]``, ``[group:children]``, ``[group:vars]``, hosts with ranges and variables."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NoReturn

from stackdoctor.errors import UsageError
from stackdoctor.inventory.ansible_groups import Groups
from stackdoctor.inventory.host_range import hosts_and_port

__all__ = ["SECTION", "read_ini"]

SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?")
_KINDS = ("hosts", "children", "vars")


def read_ini(file: Path, text: str) -> Groups:
    """The groups of ``text``; raises UsageError with file and line.

    The rules are those of ansible/plugins/inventory/ini.py: lines before the first section are hosts without a group.
    """
    found = Groups()
    section, kind = "ungrouped", "hosts"
    mentioned: dict[str, int] = {}
    declared: set[str] = {"all", "ungrouped"}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        try:
            if line.startswith("[") and (header := SECTION.fullmatch(line)):
                section, kind = header[1], header[2] or "hosts"
                if kind not in _KINDS:
                    _fail(f"[{section}:{kind}] is of no kind that Ansible knows: hosts, children or vars")
                found.group(section)
                if kind == "vars":
                    mentioned.setdefault(section, number)
                else:
                    declared.add(section)
            elif line.startswith("[") and line.endswith("]") and ":" not in line:
                _fail(f"{line} is no name of a group: it has spaces or brackets")
            elif kind == "hosts":
                _host(found, section, line)
            elif kind == "children":
                child = line.partition("#")[0].strip()
                if not re.fullmatch(r"[^:\]\s]+", child):
                    _fail(f"{line!r} is no name of a group")
                if child not in found.group(section).children:
                    found.group(section).children.append(child)
                mentioned.setdefault(child, number)
            else:
                key, equals, value = line.partition("=")
                if not equals:
                    _fail(f"{line!r} sets no variable: key=value is expected in [{section}:vars]")
                found.group(section).vars[key.strip()] = _unquoted(value.strip())
        except UsageError as error:
            raise UsageError(f"{file}:{number}: {error}") from error
    for name, number in mentioned.items():
        if name not in declared:
            raise UsageError(f"{file}:{number}: there is no group [{name}] in this file")
    return found


def _fail(problem: str) -> NoReturn:
    raise UsageError(problem)


def _host(found: Groups, group: str, line: str) -> None:
    try:
        pattern, *rest = shlex.split(line, comments=True)
    except ValueError as error:
        _fail(f"{line!r}: {error}")
    variables = {}
    for assignment in rest:
        key, equals, value = assignment.partition("=")
        if not equals:
            _fail(f"{assignment!r} sets no variable: key=value is expected after a host")
        variables[key] = _unquoted(value)
    hosts, port = hosts_and_port(pattern)
    for host in hosts:
        found.add_host(group, host, ({"ansible_port": port} if port else {}) | variables)


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    # a number or a quoted text may have a comment behind it: elsewhere the # belongs to the value
    match = re.fullmatch(r"(\d+|'[^']*'|\"[^\"]*\")\s*#.*", value)
    return match[1].strip("'\"") if match else value

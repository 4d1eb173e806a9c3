"""The titled sections that rabbitmqctl 3.8 and later prints for people, brought to the keys of its JSON.

>>> status_sections('''Runtime
...
... RabbitMQ version: 3.10.8
... Node name: rabbit@controller
... Uptime (seconds): 3035
...
... Memory
...
... Total memory used: 0.1882 gb
...
... Alarms
...
... Free disk space alarm on node rabbit@controller
...
... Free Disk Space
...
... Low free disk space watermark: 0.5 gb
... Free disk space: 75.7099 gb
... ''')["disk_free"]
75709900000

From rabbitmq_cli ``ctl/commands/status_command.ex``, ``cluster_status_command.ex`` and ``core/alarms.ex``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import decimal, integer
from stackdoctor.facts.table import excerpt

__all__ = ["cluster_sections", "status_sections"]

_STATUS = frozenset(
    {
        *("Runtime", "Plugins", "Data directory", "Config files", "Log file(s)", "Alarms", "Tags", "Memory"),
        *("File Descriptors", "Free Disk Space", "Totals", "Listeners"),
    }
)
_CLUSTER = frozenset(
    {
        *("Basics", "Cluster Tags", "Disk Nodes", "RAM Nodes", "Running Nodes", "Versions", "CPU Cores"),
        *("Maintenance status", "Alarms", "Network Partitions", "Listeners", "Feature flags"),
    }
)
_UNITS = {"bytes": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_KINDS = {"Memory": "memory", "Free disk space": "disk", "File descriptor limit": "file_descriptor_limit"}
_ALARM = re.compile(r"(Memory|Free disk space|File descriptor limit) alarm on node (\S+)")
_PARTITION = re.compile(r"Node (\S+) cannot communicate with (.+)")


def _sections(text: str, titles: frozenset[str]) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for line in (line.strip() for line in text.splitlines()):
        if line in titles:
            lines = sections.setdefault(line, [])
        elif line and line != "(none)":
            if lines is None:
                raise ParseError(f"unknown section: {excerpt(line)}")
            lines.append(line)
    return sections


def _pairs(lines: list[str]) -> Mapping[str, str]:
    return {key: value for key, mark, value in (line.partition(": ") for line in lines) if mark}


def _size(words: str | None) -> int | None:
    number, _, unit = (words or "").partition(" ")
    value = decimal(number)
    return None if value is None or unit not in _UNITS else round(value * _UNITS[unit])


def _alarms(lines: list[str]) -> list[object]:
    found = (_ALARM.fullmatch(line) for line in lines)
    return [{"node": match[2], "resource": _KINDS[match[1]]} for match in found if match]


def _used(words: str | None) -> tuple[int | None, int | None]:
    """``81, limit: 16287``."""
    used, _, limit = (words or "").partition(", limit: ")
    return integer(used), integer(limit)


def status_sections(text: str) -> Mapping[str, object]:
    """``rabbitmqctl status`` as its JSON has it, as far as it says; sizes rounded as printed.  Raises ParseError."""
    sections = _sections(text, _STATUS)
    if not {"Runtime", "Alarms", "Memory"} <= sections.keys():
        raise ParseError("not the sections of rabbitmqctl status")
    runtime, memory = _pairs(sections["Runtime"]), _pairs(sections["Memory"])
    descriptors = _pairs(sections.get("File Descriptors", []))
    disk = _pairs(sections.get("Free Disk Space", []))
    used, limit = _used(descriptors.get("Total"))
    sockets, sockets_limit = _used(descriptors.get("Sockets"))
    return {
        "rabbitmq_version": runtime.get("RabbitMQ version", ""),
        "node": runtime.get("Node name", ""),
        "uptime": integer(runtime.get("Uptime (seconds)", "")),
        "data_directory": _pairs(sections.get("Data directory", [])).get("Node data directory", ""),
        "alarms": _alarms(sections["Alarms"]),
        "memory": {"total": _size(memory.get("Total memory used"))},
        "vm_memory_high_watermark_limit": _size(
            memory.get("Memory high watermark setting", "").partition("computed to: ")[2]
        ),
        "file_descriptors": {
            "total_used": used,
            "total_limit": limit,
            "sockets_used": sockets,
            "sockets_limit": sockets_limit,
        },
        "disk_free": _size(disk.get("Free disk space")),
        "disk_free_limit": _size(disk.get("Low free disk space watermark")),
    }


def cluster_sections(text: str) -> Mapping[str, object]:
    """``rabbitmqctl cluster_status`` as its JSON has it, as far as it says.  Raises ParseError."""
    sections = _sections(text, _CLUSTER)
    if not {"Running Nodes", "Network Partitions"} <= sections.keys():
        raise ParseError("not the sections of rabbitmqctl cluster_status")
    lost = (_PARTITION.fullmatch(line) for line in sections["Network Partitions"])
    return {
        "disk_nodes": sections.get("Disk Nodes", []),
        "ram_nodes": sections.get("RAM Nodes", []),
        "running_nodes": sections["Running Nodes"],
        "alarms": _alarms(sections.get("Alarms", [])),
        "partitions": {match[1]: [name.strip() for name in match[2].split(",")] for match in lost if match},
    }

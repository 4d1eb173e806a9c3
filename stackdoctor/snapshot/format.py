"""Snapshot format 1: the names in it, and what its manifest says (docs/snapshot.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from stackdoctor.model import Clock, Cost, NodeResults, Result, Status

__all__ = [
    "FORMAT",
    "MANIFEST",
    "Snapshot",
    "clock_of",
    "cost_of",
    "file_name",
    "node_entry",
    "result_entry",
    "result_of",
]

FORMAT = "stackdoctor/snapshot/1"
MANIFEST = "manifest.json"
NAME_LIMIT = 120


@dataclass(frozen=True)
class Snapshot:
    """All results of one look at one cloud.  ``started`` is our clock's epoch; ``source`` is where it came from."""

    nodes: tuple[NodeResults, ...]
    started: float
    seconds: float
    tool: str
    source: str = "live"
    complete: bool = True


def file_name(probe: str, subject: str = "") -> str:
    """The name that a person would look for: the probe, and what of several it is about."""
    name = quote(probe if not subject else f"{probe}~{subject}", safe="~@:+, #", errors="surrogatepass")
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name) > NAME_LIMIT:
        name = f"{name[:NAME_LIMIT]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return name


def node_entry(node: NodeResults) -> dict[str, object]:
    """A node as the manifest lists it."""
    return {
        "name": node.node.name,
        "address": node.node.address,
        "port": node.node.port,
        "roles": sorted(node.node.roles),
        "hostname": node.hostname,
        "failure": node.failure,
        "clock": None if node.clock is None else vars(node.clock),
        "cost": None if node.cost is None else {**vars(node.cost), "left_out": list(node.cost.left_out)},
        "asked": sorted({probe for probe, _ in node.results}),
        "failed": {
            f"{r.probe}~{r.subject}" if r.subject else r.probe: f"{r.status.value}: {r.reason}"
            for r in node.results.values()
            if r.status is not Status.RAN
        },
    }


def result_entry(result: Result, file: str | None) -> dict[str, object]:
    """A result as a node's index lists it; its standard output lies in ``file``."""
    return {
        "probe": result.probe,
        "subject": result.subject,
        "command": result.command,
        "status": result.status.value,
        "exit": result.exit,
        "started": result.started,
        "seconds": result.seconds,
        "reason": result.reason,
        "stdout": file,
        "stderr": result.stderr.decode("utf-8", "backslashreplace"),
    }


def result_of(entry: Mapping[str, object], stdout: bytes) -> Result:
    """A result from its index entry; raises KeyError, TypeError or ValueError where that is not one."""
    exit_status = entry["exit"]
    return Result(
        probe=str(entry["probe"]),
        command=str(entry["command"]),
        subject=str(entry["subject"]),
        status=Status(entry["status"]),
        exit=None if exit_status is None else int(str(exit_status)),
        stdout=stdout,
        stderr=str(entry["stderr"]).encode(),
        started=float(str(entry["started"])),
        seconds=float(str(entry["seconds"])),
        reason=str(entry["reason"]),
    )


def clock_of(entry: object) -> Clock | None:
    """A node's clock from the manifest; raises TypeError or ValueError where that is not one."""
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise TypeError("clock is not a mapping")
    return Clock(
        now=float(entry["now"]),
        offset=float(entry["offset"]),
        error=None if entry["error"] is None else float(entry["error"]),
        utc_offset=int(entry["utc_offset"]),
        zone=str(entry["zone"]),
    )


def cost_of(entry: object) -> Cost | None:
    """What the look cost a node, from the manifest (of an older version: None); TypeError or ValueError if not one."""
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise TypeError("cost is not a mapping")
    left_out = entry["left_out"]
    if not isinstance(left_out, list):
        raise TypeError("left_out is not a list")
    return Cost(
        seconds=float(entry["seconds"]),
        cpu=float(entry["cpu"]),
        bytes=int(entry["bytes"]),
        commands=int(entry["commands"]),
        used_up=str(entry["used_up"]),
        sparing=str(entry["sparing"]),
        left_out=tuple(map(str, left_out)),
    )

"""Logs that were copied from somewhere: whose they are and which service wrote them, by their places in the tree.

Understood are trees of /var/log and of Kolla's /var/log/kolla, folders of a project each, must-gather's pods, and
folders of files that are called after services or containers (``docker logs nova_compute > nova_compute.log``). What
stands before that in a path is the node; where nothing does, the tree is one node and has its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from stackdoctor.collect.plan import LogScan, LogSource
from stackdoctor.snapshot.log_names import current, source_of
from stackdoctor.snapshot.log_scan import CopiedLog
from stackdoctor.snapshot.tree import Entry, Tree

__all__ = ["Named", "copied_log", "logs_by_node", "search_for"]

Named = Callable[[str], str]
"""The service that a container or a file is called after; the name itself where it is none."""

_WRAPPERS = frozenset(("kolla", "log", "logs", "var", "nodes", "containers", "."))
_TEXT = re.compile(r"[^./]+|.*\.(?:log|err|out|txt)|(?:rabbit@|syslog|messages)[^/]*", re.IGNORECASE)
_POD = re.compile(r"(?:.*/)?pods/(?P<pod>[^/]+)/(?P<container>[^/]+)/(?:[^/]+/)?logs/(?:current|previous)\.log")


def copied_log(
    shown: str, path: str, place: str, entry: Entry, sources: Iterable[LogSource], named: Named
) -> CopiedLog:
    """The log at ``place``, which its node would have at ``path``, and which the report calls ``shown``."""
    source = source_of(path, sources)
    if source is None:
        base = re.sub(r"\.(?:log|err|out|txt)$", "", current(path).rsplit("/", 1)[-1])
        source = LogSource(named(base.removeprefix("openstack-")), "auto", ())
    return CopiedLog(shown, source.service, source.format, place, entry.mtime)


def search_for(scan: LogScan, logs: Iterable[CopiedLog]) -> list[CopiedLog]:
    """Those of ``logs`` whose service some signature is about; without any signature they only say whose they are."""
    if not scan.patterns:
        return list(logs)
    globs = {glob for pattern in scan.patterns for glob in pattern.services}
    known: dict[str, bool] = {}
    for log in (logs := list(logs)):
        if log.service not in known:
            known[log.service] = any(fnmatchcase(log.service, glob) for glob in globs)
    return [log for log in logs if known[log.service]]


def logs_by_node(tree: Tree, scan: LogScan, named: Named) -> Mapping[str, list[CopiedLog]]:
    """The logs of a tree that is no sosreport, by their node's name; empty where there are none."""
    projects = _projects(scan.sources)
    found: dict[tuple[str, ...], list[CopiedLog]] = {}
    for place in sorted(tree.entries):
        entry = tree.entries[place]
        if not entry.size or not _TEXT.fullmatch(current(place).rsplit("/", 1)[-1]):
            continue
        whose, path = _split(place, projects)
        log = copied_log(place, path, place, entry, scan.sources, named)
        found.setdefault(whose, []).append(log)
    wanted = {whose: kept for whose, logs in found.items() if (kept := search_for(scan, logs))}
    names: dict[tuple[str, ...], str] = {}
    for whose in wanted:
        last = whose[-1] if whose else _called(tree.path, tree.name)
        taken = sum(1 for other in wanted if other and whose and other[-1] == last)
        names[whose] = last if taken < 2 else "/".join(whose)
    return {names[whose]: logs for whose, logs in wanted.items()}


def _projects(sources: Iterable[LogSource]) -> frozenset[str]:
    """The folders below /var/log and /var/log/kolla that the sources name."""
    found = set()
    for source in sources:
        for file in source.files:
            parts = file.split("/")[3:] if file.startswith("/var/log/") else []
            if parts and parts[0] in ("kolla", "containers"):
                parts = parts[1:]
            if len(parts) > 1 and not any(c in parts[0] for c in "*?["):
                found.add(parts[0])
    return frozenset(found)


def _split(place: str, projects: frozenset[str]) -> tuple[tuple[str, ...], str]:
    """Whose log it is, and its path on that node."""
    if pod := _POD.fullmatch(place):
        return (), f"/var/log/containers/{pod['pod']}/{pod['container']}.log"
    parts = place.split("/")
    for at in range(len(parts) - 2, 0, -1):
        if parts[at - 1 : at + 1] == ["var", "log"]:
            return _whose(parts[: at - 1]), "/var/log/" + "/".join(parts[at + 1 :])
    for at, part in enumerate(parts[:-1]):
        if part == "kolla":
            return _whose(parts[:at]), "/var/log/kolla/" + "/".join(parts[at + 1 :])
        if part in projects:
            return _whose(parts[:at]), "/var/log/" + "/".join(parts[at:])
    return _whose(parts[:-1]), "/var/log/" + parts[-1]


def _whose(parts: list[str]) -> tuple[str, ...]:
    while parts and parts[-1] in _WRAPPERS:
        parts = parts[:-1]
    return tuple(part for part in parts if part != ".")


def _called(path: Path, name: str) -> str:
    """What a tree is called that is one node: its name, or that of the nearest folder around it with one of its own."""
    if name not in _WRAPPERS:
        return name
    return next((p.name for p in path.resolve().parents if p.name and p.name not in _WRAPPERS), "node")

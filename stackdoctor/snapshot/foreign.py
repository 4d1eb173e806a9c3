"""What others collected, as a snapshot: sosreports, must-gathers, trees and folders of logs, several as one cloud."""

from __future__ import annotations

import re
import tarfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from stackdoctor import __version__
from stackdoctor.collect.agent.secrets import redacted_text
from stackdoctor.collect.plan import LOG_PROBE, Plan
from stackdoctor.errors import UsageError
from stackdoctor.model import Clock, Node, NodeResults, Probe, Result, Status
from stackdoctor.snapshot.format import MANIFEST, Snapshot
from stackdoctor.snapshot.log_scan import AT_MOST, CopiedLog, newest_stamp, room_for_files, scan_copies
from stackdoctor.snapshot.log_tree import Named, copied_log, logs_by_node, search_for
from stackdoctor.snapshot.read import read_snapshot
from stackdoctor.snapshot.sosreport import (
    MIXED,
    Folders,
    Wanted,
    asked_as,
    clock_of_report,
    results_of,
    wanted_by,
)
from stackdoctor.snapshot.tree import ARCHIVES, Taken, Tree, read_tree, take

__all__ = ["UNDERSTOOD", "Reading", "is_snapshot", "read_all"]

UNDERSTOOD = (
    "--from reads a snapshot of `stackdoctor collect`, sosreports, must-gathers, trees of /var/log or of Kolla's"
    " /var/log/kolla, and folders of logs; each as a directory or as .tar.gz, .tar.xz or .tar.bz2"
)
SCAN = "grep -E -a -b -f SIGNATURES LOGS"
JOURNAL = ("journalctl --no-pager", "journalctl --no-pager --boot")
SLACK = 86400.0
EPOCH = 946684800.0  # an archive whose files are older than 2000 does not say how old they are
WHO = 64 * 1024
_SOS = re.compile(r"(?P<root>(?:.*/)?)sos_commands/")
_SOS_NAME = re.compile(r"sosreport-(?P<host>.+?)-(?:\d+-)?\d{4}-\d\d-\d\d-\w+")


@dataclass(frozen=True)
class Reading:
    """How to read: ``plan`` is what a node would be asked, ``window`` how many seconds of logs before a moment count.

    ``named`` says which service a container or a file is called after; ``finish`` adds what the results say of a node.
    """

    plan: Plan
    window: Callable[[float], float]
    named: Named
    finish: Callable[[NodeResults], NodeResults] = lambda node: node


def read_all(paths: Sequence[Path], reading: Reading) -> Snapshot:
    """The snapshot at ``paths``: ours as they are, everything else as the answers that our probes would have got.

    Raises UsageError where something cannot be read, is nothing that is understood, or two are of one host.
    """
    began = time.monotonic()
    nodes: dict[str, tuple[NodeResults, Path]] = {}
    started: list[float] = []
    complete = True
    room_for_files()
    for path in _each_source(paths):
        if is_snapshot(path):
            own = read_snapshot(path)
            found, complete = own.nodes, complete and own.complete
            started.append(own.started)
        else:
            found = tuple(map(reading.finish, _foreign(path, reading)))
            started += [node.clock.now for node in found if node.clock is not None]
        for node in found:
            if node.node.name in nodes:
                other = nodes[node.node.name][1]
                raise UsageError(f"{other} and {path} are both of the host {node.node.name}: leave one of them out")
            nodes[node.node.name] = node, path
    return Snapshot(
        tuple(node for node, _ in nodes.values()),
        max(started, default=time.time()),
        time.monotonic() - began,
        f"stackdoctor {__version__}",
        ", ".join(map(str, paths)),
        complete,
    )


def is_snapshot(path: Path) -> bool:
    """Whether stackdoctor wrote what is at ``path``.  Raises UsageError where there is nothing that can be read."""
    if path.is_dir():
        return (path / MANIFEST).is_file()
    if not path.exists():
        raise UsageError(f"there is no snapshot at {path}, nor anything else. {UNDERSTOOD}")
    try:
        with tarfile.open(path, "r|*") as archive:
            first = archive.next()
    except (EOFError, tarfile.TarError, OSError) as error:
        if path.name.endswith(ARCHIVES) and isinstance(error, EOFError):
            raise UsageError(f"{path} is truncated: nothing of it can be read; copy it again") from error
        raise UsageError(f"{path} is no archive that can be read ({error}). {UNDERSTOOD}") from error
    parts = PurePosixPath(first.name).parts if first else ()
    return len(parts) == 2 and parts[1] == MANIFEST


def _each_source(paths: Sequence[Path]) -> list[Path]:
    """``paths``, and for a folder of nothing but archives those that are in it."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() and not is_snapshot(path) else []
        packed = [p for p in inside if p.name.endswith(ARCHIVES) and p.is_file() and not p.is_symlink()]
        folders = any(p.is_dir() for p in inside)
        found += packed if packed and not folders else [path]
    return found


@dataclass(frozen=True)
class _Host:
    """One sosreport of a tree."""

    folders: Folders
    wanted: list[Wanted]
    logs: list[CopiedLog]


def _foreign(path: Path, reading: Reading) -> tuple[NodeResults, ...]:
    tree = read_tree(path)
    roots = {match["root"] for place in tree.entries if (match := _SOS.match(place))}
    found = tuple(_reports(tree, roots, reading)) if roots else _logs_only(tree, reading)
    notes = "; ".join(tree.notes[:5])
    if not found:
        why = f" ({notes})" if notes else ""
        raise UsageError(f"{path} is not a snapshot, has no outputs of sos and no log that is known{why}. {UNDERSTOOD}")
    return tuple(replace(node, failure=redacted_text(f"{path}: {notes}")) for node in found) if notes else found


def _reports(tree: Tree, roots: set[str], reading: Reading) -> list[NodeResults]:
    hosts = [_host(tree, root, reading) for root in sorted(roots)]
    small: dict[str, int] = {}
    for host in hosts:
        for want in host.wanted:
            for name in want.names:
                place = host.folders.place(name)
                small[place] = max(small.get(place, 0), want.probe.cap)
    with ExitStack() as stack:
        taken = take(tree, small, {log.place for host in hosts for log in host.logs}, stack)
        return [_answered(tree, host, taken, reading) for host in hosts]


# what is asked of a report besides: who it is of, and when it was made
_DATE = Probe("date", ("date",), cap=WHO)
_UTC = Probe("date.utc", ("date", "--utc"), otherwise=(("date", "-u"),), cap=WHO)
_NAME = Probe("hostname", ("hostname",), files=("/etc/hostname",), cap=WHO)
_ABOUT = (_DATE, _UTC, _NAME)


def _host(tree: Tree, root: str, reading: Reading) -> _Host:
    folders = Folders(root, tree.entries)
    wanted = wanted_by((*reading.plan.probes, *_ABOUT), folders)
    for command, probe in MIXED.items():
        if name := folders.output(command):
            wanted.append(Wanted(probe, "", name[1:], (name,)))
    return _Host(folders, wanted, _logs_of(tree, folders, reading))


def _logs_of(tree: Tree, folders: Folders, reading: Reading) -> list[CopiedLog]:
    if reading.plan.logs is None or not reading.plan.logs.patterns:
        return []
    made = max((tree.entries[folders.place(name)].mtime for name in folders.outputs.values()), default=0.0)
    since = made - reading.window(made) - SLACK if made > EPOCH else 0.0
    logs = []
    names = sorted(name for name in folders.files if name.startswith("/var/log/"))
    if not {"/var/log/syslog", "/var/log/messages"} & folders.files:
        journals = (folders.output(command) for command in JOURNAL)
        names += [name for name in journals if name is not None][:1]
    for name in names:
        place = folders.place(name)
        entry = tree.entries[place]
        if entry.size and (entry.mtime < EPOCH or entry.mtime >= since):
            path = name if name.startswith("/var/log/") else "/var/log/syslog"
            logs.append(copied_log(name, path, place, entry, reading.plan.logs.sources, reading.named))
    return search_for(reading.plan.logs, logs)


def _answered(tree: Tree, host: _Host, taken: Taken, reading: Reading) -> NodeResults:
    said = {
        want.probe.id: taken.contents[place].decode("utf-8", "replace").strip()
        for want in reversed(host.wanted)
        if want.probe in _ABOUT and (place := host.folders.place(want.names[0])) in taken.contents
    }
    clock = clock_of_report(said.get(_DATE.id, ""), said.get(_UTC.id, ""))
    if clock is None:
        clock = Clock(newest_stamp(host.logs[:AT_MOST], taken.files, 0) or time.time(), error=None)
    hostname = re.sub(r"[^\w.-]", "", said.get(_NAME.id, "").split("\n")[0])[:253] or _named_by(tree, host.folders.root)
    asked = [want for want in host.wanted if want.probe not in (*_ABOUT, *MIXED.values())]
    results = results_of(reading.plan.probes, asked, taken.contents, host.folders, clock)
    results.update(_scanned(host.logs, taken, clock, reading))
    return NodeResults(Node(hostname.partition(".")[0] or hostname), results, clock, hostname)


def _named_by(tree: Tree, root: str) -> str:
    name = root.rstrip("/").rpartition("/")[2] or tree.name
    match = _SOS_NAME.match(name)
    return match["host"] if match else name


def _scanned(logs: list[CopiedLog], taken: Taken, clock: Clock, reading: Reading) -> dict[tuple[str, str], Result]:
    if reading.plan.logs is None or not reading.plan.logs.patterns:
        return {}
    scan = replace(reading.plan.logs, window=reading.window(clock.now))
    kept = logs[:AT_MOST]
    found = scan_copies(scan, kept, taken.files, clock.now, clock.utc_offset)
    said = f"more than {AT_MOST} logs: the last {len(logs) - AT_MOST} were not read" if len(logs) > AT_MOST else ""
    result = Result(LOG_PROBE.id, SCAN, stdout=found, started=clock.now, reason=said)
    return {(LOG_PROBE.id, ""): result}


def _logs_only(tree: Tree, reading: Reading) -> tuple[NodeResults, ...]:
    scan = reading.plan.logs
    by_node = logs_by_node(tree, scan, reading.named) if scan is not None else {}
    every = [log for logs in by_node.values() for log in logs][:AT_MOST]
    if not every:
        return ()
    with ExitStack() as stack:
        taken = take(tree, {}, {log.place for log in every}, stack)
        # copied without a clock: what was written last was written just now
        now = newest_stamp(every, taken.files, 0)
        if now is None:
            return ()
        clock = Clock(now, error=None)
        absent = {
            (probe.id, ""): Result(
                probe.id,
                asked_as(probe),
                status=Status.NOT_RUN,
                exit=None,
                started=now,
                reason="only logs were given",
            )
            for probe in reading.plan.probes
        }
        return tuple(
            NodeResults(Node(redacted_text(name)), {**absent, **_scanned(logs, taken, clock, reading)}, clock, name)
            for name, logs in sorted(by_node.items())
        )

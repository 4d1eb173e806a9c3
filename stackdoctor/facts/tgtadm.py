"""The text of ``tgtadm --lld iscsi --mode target --op show`` (man tgtadm(8), scsi-target-utils ``usr/target.c``).

Sections are told apart by indentation, which is four blanks a level:

    Target 1: iqn.2010-10.org.openstack:volume-d081b393-4a68-4b3a-81c1-e24a9033d57c
        System information:
            Driver: iscsi
            State: ready
        I_T nexus information:
            I_T nexus: 1
                Initiator: iqn.1993-08.org.debian:01:compute1 alias: none
                Connection: 0
                    IP Address: 192.168.199.20
        LUN information:
            LUN: 1
                Type: disk
                Size: 1074 MB, Block size: 512
                Online: Yes
                Backing store path: /dev/cinder-volumes/volume-d081b393-4a68-4b3a-81c1-e24a9033d57c
        Account information:
            GhugMC7C5UEmBfG59Nrk
        ACL information:
            ALL
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import integer
from stackdoctor.facts.iscsi_target import Lun, Nexus, Target
from stackdoctor.model import Evidence

__all__ = ["parse_targets"]

HEAD = re.compile(r"Target ([0-9]{1,9}): (\S{1,300})")
SECTIONS = frozenset(
    (
        "System information:",
        "I_T nexus information:",
        "LUN information:",
        "Account information:",
        "ACL information:",
        "Portal information:",
    )
)


def parse_targets(printed: str, evidence: Callable[[str], Evidence]) -> tuple[Target, ...]:
    """The targets; nothing printed means that there are none.  Raises ParseError."""
    targets: list[tuple[str, list[str]]] = []
    for line in printed.splitlines():
        if not line.strip():
            continue
        if not line[0].isspace():
            targets.append((line.rstrip(), []))
        elif targets:
            targets[-1][1].append(line.rstrip())
        else:
            raise ParseError(f"tgtadm: not a target: {line[:200]}")
    return tuple(_target(head, lines, evidence) for head, lines in targets)


def _target(head: str, lines: list[str], evidence: Callable[[str], Evidence]) -> Target:
    found = HEAD.fullmatch(head)
    if found is None:
        raise ParseError(f"tgtadm: not a target: {head[:200]}")
    sections: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in lines:
        if line.strip() in SECTIONS:
            current = sections.setdefault(line.strip(), [])
        elif current is None:
            raise ParseError(f"tgtadm: outside of every section: {line[:200]}")
        else:
            current.append(line)
    system = _values(sections.get("System information:", []))
    state = system.get("State", "")
    if not state:
        raise ParseError(f"tgtadm: a target without state: {head[:200]}")
    return Target(
        int(found[1]),
        found[2],
        state,
        system.get("Driver", ""),
        tuple(_nexus(part, evidence) for part in _parts(sections.get("I_T nexus information:", []), "I_T nexus:")),
        tuple(_lun(part, evidence) for part in _parts(sections.get("LUN information:", []), "LUN:")),
        tuple(line.split()[0] for line in sections.get("Account information:", [])),
        tuple(line.strip() for line in sections.get("ACL information:", [])),
        evidence(f"{head} State: {state}"),
    )


def _values(lines: list[str]) -> dict[str, str]:
    """``Key: value`` lines; the first of a repeated key counts."""
    values: dict[str, str] = {}
    for line in lines:
        key, _, value = line.strip().partition(":")
        values.setdefault(key, value.strip())
    return values


def _parts(lines: list[str], opening: str) -> Iterator[list[str]]:
    part: list[str] = []
    for line in lines:
        if line.strip().startswith(opening):
            if part:
                yield part
            part = [line]
        elif part:
            part.append(line)
        else:
            raise ParseError(f"tgtadm: expected {opening} and found {line[:200]}")
    if part:
        yield part


def _nexus(lines: list[str], evidence: Callable[[str], Evidence]) -> Nexus:
    initiator = _values(lines).get("Initiator", "").partition(" alias:")[0]
    addresses = tuple(line.partition(":")[2].strip() for line in lines if line.strip().startswith("IP Address:"))
    return Nexus(initiator, addresses, evidence(f"Initiator: {initiator} IP Address: {' '.join(addresses)}"))


def _lun(lines: list[str], evidence: Callable[[str], Evidence]) -> Lun:
    values = _values(lines)
    number = integer(values["LUN"])
    if number is None:
        raise ParseError(f"tgtadm: not a unit: {lines[0][:200]}")
    size = re.match(r"([0-9]{1,15}) MB", values.get("Size", ""))
    path = values.get("Backing store path") or values.get("Backing store", "")  # the latter until 1.0.4
    online = values.get("Online", "")
    kind = values.get("Type", "")
    line = f"LUN: {number} Type: {kind} Online: {online} Backing store path: {path}"
    return Lun(
        number, kind, int(size[1]) if size else None, online == "Yes", "" if path == "None" else path, evidence(line)
    )

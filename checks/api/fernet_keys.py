"""Fernet keys that the nodes of Keystone do not share."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.keystone_keys import FernetKeys
from stackdoctor.facts.processes import Processes

FRESH = 300.0
"""Seconds in which the keys of a rotation may still be on their way to the other nodes."""

SAME = 60.0
"""Seconds by which times of files may differ that were written together."""


@check("keystone.fernet-keys.differ", severity=Severity.ERROR)
def keys_differ(cloud: Cloud[FernetKeys], processes: Cloud[Processes]) -> Iterator[Finding]:
    """The nodes of Keystone do not have the same keys: tokens that one node made are refused by another.

    One rotation behind is a warning: the staged key, which all nodes have beforehand, still reads the new tokens.
    The contents are not looked at: keys of one number may differ too, which Keystone's log shows.  Nodes where no
    Keystone runs are left out: what lies there may be of former days.  So are nodes whose Keystone has another
    database, and those whose last rotation is the later one: they are of another Keystone (another region's).
    """
    known = {node: found for node, found in cloud if found.keys.written and _serves(processes.facts.get(node))}
    if any(found.rotated is None or found.rotated < FRESH for found in known.values()):
        return
    for node, found in sorted(known.items()):
        peers = {n: f for n, f in known.items() if n != node and _share(f, found)}
        if not peers:
            continue
        ahead = max(peers, key=lambda name: (peers[name].keys.primary or 0, name))
        behind = (peers[ahead].keys.primary or 0) - (found.keys.primary or 0)
        # of equal primaries only the number of old keys differs: what each may read, not what it makes
        if behind <= 0 or (found.rotated or 0.0) + SAME < (peers[ahead].rotated or 0.0):
            continue
        yield Finding(
            found,
            f"the Fernet keys of {node} are {behind} rotation{'s' if behind > 1 else ''} behind those of {ahead}",
            node=node,
            severity=None if behind > 1 else Severity.WARNING,
            evidence=(found.evidence, peers[ahead].evidence),
            host=node,
            target_host=ahead,
            behind=behind,
            service="keystone",
        )


@check("keystone.fernet-keys.empty", severity=Severity.ERROR)
def no_key(keys: FernetKeys, processes: Processes) -> Iterator[Finding]:
    """The repository of Fernet keys is there and holds no key: Keystone, which runs, can make and check no token."""
    if not keys.keys.written and _serves(processes):
        host = keys.evidence.node
        yield Finding(keys, f"Keystone on {host} has no Fernet key", host=host, service="keystone")


def _serves(processes: Processes | None) -> bool:
    return processes is not None and any(not p.zombie for p in processes.of("keystone"))


def _share(one: FernetKeys, other: FernetKeys) -> bool:
    """Whether both may be of one Keystone."""
    return not one.database or not other.database or one.database == other.database

"""Keystone's Fernet keys by their names: numbers that grow with each rotation.  Nothing of what is in them is read.

>>> parse_keys("total 8\\n-rw------- 1 999 999 44 1795375000 0\\n-rw------- 1 999 999 44 1795375000 1\\n").primary
1

Of the repository (keystone/common/fernet_utils.py): 0 is staged and will be the next primary, the highest number is
the primary that new tokens are made with, those between can still be read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.answers import said
from stackdoctor.facts.memcache_config import KEYSTONE_CONFIG
from stackdoctor.facts.oslo_config import read_options
from stackdoctor.facts.table import excerpt
from stackdoctor.model import Evidence, NodeResults, Probe, Status

__all__ = ["FERNET_KEYS", "FernetKeys", "KeyList", "parse_keys"]

FERNET_KEYS = Probe(
    "keystone.fernet-keys",
    (
        *("ls", "-ln", "--time-style=+%s"),
        "/etc/keystone/fernet-keys",
        "/var/lib/docker/volumes/keystone_fernet_tokens/_data",
        "/var/lib/containers/storage/volumes/keystone_fernet_tokens/_data",
        "/var/lib/config-data/puppet-generated/keystone/etc/keystone/fernet-keys",
    ),
    root=True,
)
_ROW = re.compile(r"-\S{9,11} +\d+ +\d+ +\d+ +(\d{1,12}) (\d{1,12}) (\d{1,9})")
_ABSENT = "No such file or directory"


@dataclass(frozen=True)
class KeyList:
    """The numbers of the keys, and when each was last written (seconds since the epoch, on the node's clock)."""

    written: tuple[tuple[int, float], ...]

    @property
    def numbers(self) -> frozenset[int]:
        """All of them, the staged one (0) too."""
        return frozenset(number for number, _ in self.written)

    @property
    def primary(self) -> int | None:
        """The key that new tokens are made with; None where there is none."""
        return max(self.numbers, default=None)


@dataclass(frozen=True)
class FernetKeys:
    """The key repository of this node's Keystone; ``now`` is the node's clock, None where it is not known.

    ``database`` is the address of Keystone's database (``192.0.2.10/keystone``), which all nodes of one Keystone
    share; empty where it is not known, or at the loopback.
    """

    keys: KeyList
    now: float | None
    evidence: Evidence
    database: str = ""
    probes: ClassVar[tuple[Probe, ...]] = (FERNET_KEYS, KEYSTONE_CONFIG)

    def __str__(self) -> str:
        return "Fernet keys"

    @property
    def rotated(self) -> float | None:
        """Seconds since a key was last written."""
        last = max((time for _, time in self.keys.written), default=None)
        return None if last is None or self.now is None else max(0.0, self.now - last)

    @classmethod
    def parse(cls, results: NodeResults) -> FernetKeys:
        """The keys.  Raises NotApplicable without a repository, CouldNotCheck or ParseError."""
        result = results.one(FERNET_KEYS)
        complaints = result.stderr[:8192].decode("utf-8", "replace").splitlines()
        if result.status is not Status.RAN or any(_ABSENT not in line for line in complaints if line.strip()):
            raise CouldNotCheck(f"{result.command}: {result.reason or said(result)}")
        if not result.text.strip():
            raise NotApplicable("there is no repository of Fernet keys")
        keys = parse_keys(result.text)
        line = "keys " + " ".join(str(number) for number in sorted(keys.numbers)) if keys.written else "no key"
        now = results.clock.now if results.clock else None
        return cls(keys, now, results.evidence(result, line), _database(results))


def _database(results: NodeResults) -> str:
    try:
        connection = read_options(results, KEYSTONE_CONFIG).get("database", "connection")
    except (NotApplicable, CouldNotCheck):
        return ""
    place = connection.rpartition("@")[2].partition("?")[0].lower()
    return "" if place.startswith(("127.", "localhost", "[::1]", "/")) else place


def parse_keys(printed: str) -> KeyList:
    """The keys that ``ls -ln --time-style=+%s`` lists, of the first directory with any.  Raises ParseError."""
    found: dict[int, float] = {}
    for line in printed.splitlines():
        if line.endswith(":") and line.startswith("/"):
            if found:
                break
        elif line.startswith("-"):
            match = _ROW.fullmatch(line)
            if match is not None:
                found[int(match[3])] = float(match[2])
            elif line.split()[-1].isdigit():
                raise ParseError(f"not a key: {excerpt(line)}")
        elif line.strip() and not line.startswith(("total ", "d", "l")):
            raise ParseError(f"not a listing: {excerpt(line)}")
    return KeyList(tuple(sorted(found.items())))

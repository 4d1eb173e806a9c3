"""The logs of a sosreport: lines that were recorded of a real cloud, over a day, with times and ids of their own.

Each log goes through the lines of its sample again and again, as a service does that is asked the same things by many;
errors and their tracebacks, once in ``SELDOM`` rounds. What sos keeps of old ones without ``--all-logs`` is there too:
those of nova, RabbitMQ and syslog, as logrotate leaves them.
"""

from __future__ import annotations

import gzip
import os
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

__all__ = ["Log", "write_logs"]

SAMPLES = Path(__file__).parent.parent / "tests/facts/samples/logs/healthy"
WRITTEN = Path(__file__).parent / "sos_lines.txt"
SELDOM = 60
OBJECTS = 300
"""Instances, ports, networks and the like that the lines speak of."""
DAY = timedelta(days=1)
_ID = re.compile(r"((?:req-)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b)")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[ T](\d\d:\d\d:\d\d)\.(\d+)(\+00:00)?")
_BAD = re.compile(
    r" (?:ERROR|CRITICAL) |\[error\]|rejected|failed|outlasted|No calling threads|after a previous failure|recoverable"
    r"|Aborted connection|Access denied|not recognize|RPCClient manually|Attempt \d"
)
_WITHIN = re.compile(r"\d\d/Nov/2026[: ]\d\d:\d\d:\d\d")


def _oslo(at: datetime) -> str:
    return at.isoformat(" ", "milliseconds")


def _broker(at: datetime) -> str:
    return at.isoformat(" ", "microseconds") + "+00:00"


def _syslog(at: datetime) -> str:
    return f"{at:%b %e %H:%M:%S}"


@dataclass(frozen=True)
class Log:
    """A log below /var/log: its sample, its part of all logs, how it writes times, and whether old ones are kept."""

    sample: str
    part: float
    stamp: Callable[[datetime], str] = _oslo
    old: bool = False


LOGS: Mapping[str, Log] = {
    "nova/nova-api.log": Log("nova-api", 6, _oslo, old=True),
    "nova/nova-compute.log": Log("nova-compute", 4, _oslo, old=True),
    "nova/nova-conductor.log": Log("nova-conductor", 0.4, _oslo, old=True),
    "nova/nova-scheduler.log": Log("nova-scheduler", 0.6, _oslo, old=True),
    "neutron/neutron-server.log": Log("neutron-server", 9, _oslo),
    "neutron/neutron-dhcp-agent.log": Log("neutron-dhcp-agent", 0.7, _oslo),
    "neutron/neutron-l3-agent.log": Log("neutron-l3-agent", 0.7, _oslo),
    "neutron/neutron-linuxbridge-agent.log": Log("neutron-linuxbridge-agent", 0.9, _oslo),
    "neutron/neutron-metadata-agent.log": Log("neutron-metadata-agent", 0.9, _oslo),
    "keystone/keystone.log": Log("keystone", 0.5, _oslo),
    "glance/glance-api.log": Log("glance-api", 1.6, _oslo),
    "cinder/cinder-api.log": Log("cinder-api", 1.4, _oslo),
    "cinder/cinder-volume.log": Log("cinder-volume", 0.5, _oslo),
    "heat/heat-engine.log": Log("heat-engine", 0.6, _oslo),
    "placement/placement-api.log": Log("placement-api", 1.5, _oslo),
    "apache2/keystone_access.log": Log("keystone-access", 3.5),
    "apache2/placement_access.log": Log("placement-access", 1.5),
    "apache2/cinder_access.log": Log("cinder-access", 0.8),
    "haproxy.log": Log("haproxy", 4, _syslog),
    "rabbitmq/rabbit@controller.log": Log("rabbitmq-server", 2, _broker, old=True),
    "syslog": Log("syslog", 2.5, _syslog, old=True),
    "auth.log": Log("auth", 0.8, _syslog, old=True),
    "kern.log": Log("kern", 0.3, _syslog, old=True),
}


def write_logs(root: Path, size: int, until: datetime, ends: Mapping[str, Sequence[str]]) -> None:
    """Write all logs below ``root``, ``size`` bytes together; ``ends`` are records that come last, by log."""
    written = _written()
    parts = sum(log.part * (2.05 if log.old else 1.0) for log in LOGS.values())
    for name, log in LOGS.items():
        chance = random.Random(name)
        sample = written[log.sample] if log.sample in written else (SAMPLES / f"{log.sample}.log").read_text()
        rounds = _Rounds(sample, log.stamp, chance)
        file, bytes_ = root / name, int(size * log.part / parts)
        file.parent.mkdir(parents=True, exist_ok=True)
        midnight = until.replace(hour=0, minute=0, second=0)
        text = rounds.between(midnight, until, bytes_) + "".join(f"{end}\n" for end in ends.get(name, ()))
        _put(file, text.encode(), until)
        if log.old:
            _put(file.with_name(f"{file.name}.1"), rounds.between(midnight - DAY, midnight, bytes_).encode(), midnight)
            older = rounds.between(midnight - 2 * DAY, midnight - DAY, bytes_ // 2).encode()
            _put(file.with_name(f"{file.name}.2.gz"), gzip.compress(older, mtime=0), midnight - DAY)


def _put(file: Path, content: bytes, at: datetime) -> None:
    file.write_bytes(content)
    os.utime(file, (at.timestamp(), at.timestamp()))


def _written() -> Mapping[str, str]:
    """The samples of ``WRITTEN``, each under its name in brackets."""
    parts = re.split(r"(?m)^\[([a-z-]+)\]\n", WRITTEN.read_text(encoding="ascii"))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


class _Rounds:
    """A sample, to be written anew as often as is wanted."""

    def __init__(self, sample: str, stamp: Callable[[datetime], str], chance: random.Random) -> None:
        lines = [line.replace("\x1b", "").replace("[00m", "") for line in sample.splitlines()]
        lines = [line for line in lines if line and not line.startswith("[pid: ")]
        records = ["\n".join(record) for _, record in groupby(lines, _moment)]
        self.often = [_cut(record) for record in records if not _BAD.search(record)]
        self.seldom = [_cut(record) for record in records if _BAD.search(record)]
        self.stamp = stamp
        self.chance = chance
        self.known = [f"{chance.getrandbits(128):032x}" for _ in range(OBJECTS)]

    def between(self, since: datetime, until: datetime, size: int) -> str:
        """``size`` bytes of records, evenly over the time."""
        records = list(self._some(size))
        step = (until - since) / max(1, len(records))
        said = []
        for number, record in enumerate(records):
            at = since + number * step
            if "\1" in record:
                record = record.replace("\1", f"{at:%d/%b/%Y:%H:%M:%S}")
            said.append(record.replace("\0", self.stamp(at)) if "\0" in record else record)
        return "\n".join(said) + "\n"

    def _some(self, size: int) -> Iterator[str]:
        rounds = written = 0
        while True:
            ids: dict[str, str] = {}
            for record in [*self.often, *(self.seldom if rounds % SELDOM == SELDOM - 1 or not self.often else ())]:
                text = "".join(self._id(part, ids) if odd % 2 else part for odd, part in enumerate(record))
                written += len(text) + 24
                if written > size:
                    return
                yield text
            rounds += 1

    def _id(self, old: str, ids: dict[str, str]) -> str:
        if old not in ids:
            new = f"{self.chance.getrandbits(128):032x}" if old.startswith("req-") else self.chance.choice(self.known)
            whole = f"{new[:8]}-{new[8:12]}-{new[12:16]}-{new[16:20]}-{new[20:]}"
            ids[old] = f"req-{whole}" if old.startswith("req-") else whole if "-" in old else new
        return ids[old]


def _moment(line: str) -> str:
    match = _STAMP.match(line)
    return match[0] if match and match[2] else line


def _cut(record: str) -> list[str]:
    """The record with marks in the place of its times, cut before and after each id."""
    marked = "\n".join(_STAMP.sub("\0", line, count=1) for line in record.split("\n"))
    return _ID.split(_WITHIN.sub("\1", marked))

"""The processes of a node, and which service each of them is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from sys import intern
from typing import ClassVar, NamedTuple

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import decimal, output
from stackdoctor.facts.service_names import of_command
from stackdoctor.facts.table import excerpt, header, whole
from stackdoctor.model import Evidence, NodeResults, Probe, Result

__all__ = ["Process", "Processes"]

# etime and etimes have the same heading; procps 3.2 has neither etimes nor widths
_HEADER = ("PID", "PPID", "USER", "STAT", "STARTED", "ELAPSED", "%CPU", "%MEM", "RSS", "NLWP", "WCHAN", "COMMAND")
_NUMBER = r"\s+([0-9]{1,18})"
_LINE = re.compile(  # the start has five words: Sun Nov 22 16:04:37 2026
    rf"\s*([0-9]{{1,18}}){_NUMBER}\s+(\S+)\s+(\S+)(?:\s+\S+){{5}}\s+(\S+)\s+(\S+)\s+(\S+){_NUMBER}"
    r"\s+([0-9]{1,18}|-)\s+(\S+)(?:\s+(?P<args>.*\S))?",
    re.DOTALL,
)

_OF_ONE_NODE = frozenset(("qemu", "sshd"))
"""Guests, with their long command lines, and logins."""


class Process(NamedTuple):  # a node has hundreds, and a frozen dataclass takes twice the time to make
    """One process.  ``age`` in seconds, ``cpu`` in percent of one CPU over its life, ``rss`` in KiB.

    ``stat`` is ps(1)'s: D, R, S, T, t, Z and more letters; ``wchan`` is where in the kernel it sleeps;
    ``service`` is empty for what is none of OpenStack's or below it.
    """

    pid: int
    ppid: int
    user: str
    stat: str
    age: int
    cpu: float
    memory_percent: float
    rss: int
    threads: int
    wchan: str
    args: str
    service: str
    evidence: Evidence

    def __str__(self) -> str:
        return f"{self.service or excerpt(self.args)}[{self.pid}]"

    @property
    def stopped(self) -> bool:
        """Stopped by a signal (SIGSTOP, SIGTSTP) or by a tracer: alive, and does nothing."""
        return self.stat[:1] in ("T", "t")

    @property
    def uninterruptible(self) -> bool:
        """Waits in the kernel for a disk or the like, and cannot be killed."""
        return self.stat[:1] == "D"

    @property
    def zombie(self) -> bool:
        """Has ended, and its parent has not asked how."""
        return self.stat[:1] == "Z"


@dataclass(frozen=True)
class Processes:
    """All processes of a node, as ps(1) shows them::

    PID  PPID USER   STAT                  STARTED ELAPSED %CPU %MEM    RSS NLWP WCHAN  COMMAND
    396     1 mysql  Ssl  Sun Nov 22 16:05:25 2026    2394  0.9  0.8 219620   58 poll   /usr/sbin/mariadbd
    """

    probes: ClassVar[tuple[Probe, ...]] = (
        Probe(
            "processes",
            ("ps", "-eo", "pid,ppid,user:20,stat,lstart,etimes,pcpu,pmem,rss,nlwp,wchan:24,args", "-ww"),
            otherwise=(("ps", "-eo", "pid,ppid,user,stat,lstart,etime,pcpu,pmem,rss,nlwp,wchan,args", "-ww"),),
        ),
    )

    rows: tuple[Process, ...]

    def __iter__(self) -> Iterator[Process]:
        return iter(self.rows)

    def of(self, service: str) -> tuple[Process, ...]:
        """The processes of ``service``."""
        return tuple(process for process in self.rows if process.service == service)

    def get(self, pid: int) -> Process | None:
        """The process with that number."""
        return next((process for process in self.rows if process.pid == pid), None)

    def for_the_cloud(self) -> Processes:
        """Those of OpenStack, of what it stands on, and below them, without what a node has dozens of for itself."""
        return Processes(tuple(p for p in self.rows if p.service and p.service not in _OF_ONE_NODE))

    @classmethod
    def parse(cls, results: NodeResults) -> Processes:
        """The processes.  Raises CouldNotCheck, ParseError or NotApplicable."""
        result = results.one(cls.probes[0])
        return cls(tuple(_process(line, results.evidence(result, line.string)) for line in _lines(result)))

    @classmethod
    def running(cls, program: str, results: NodeResults) -> tuple[Process, ...]:
        """Those that run ``program`` (no path), whose dead have brackets round it; raises as `parse` does."""
        result = results.one(cls.probes[0])
        found = (_process(line, results.evidence(result, line.string)) for line in _lines(result, program))
        return tuple(p for p in found if p.args.partition(" ")[0].rpartition("/")[2].strip("[]") == program)

    @classmethod
    def services(cls, results: NodeResults) -> frozenset[str]:
        """What runs, and nothing else of it; raises as `parse` does."""
        return frozenset(of_command(line["args"] or "") for line in _lines(results.one(cls.probes[0])))


def _lines(result: Result, containing: str = "") -> Iterator[re.Match[str]]:
    first, _, rest = output(result).partition("\n")
    header(first, _HEADER)
    for line in rest.split("\n"):
        if containing not in line:
            continue
        if match := _LINE.match(line):
            yield match
        elif line.strip():
            raise ParseError(f"not a process: {excerpt(line)}")


def _process(line: re.Match[str], evidence: Evidence) -> Process:
    pid, ppid, user, stat, elapsed, cpu, memory, rss, threads, wchan, args = line.groups("")
    return Process(
        int(pid),
        int(ppid),
        intern(user),
        intern(stat),
        _seconds(elapsed),
        decimal(cpu) or 0.0,
        decimal(memory) or 0.0,
        int(rss),
        1 if threads == "-" else int(threads),
        "" if wchan == "-" else intern(wchan),
        args,
        of_command(args),
        evidence,
    )


def _seconds(elapsed: str) -> int:
    """Seconds, from a number of them or from ``[[days-]hours:]minutes:seconds``.

    >>> _seconds("2394"), _seconds("03:05"), _seconds("2-01:00:05")
    (2394, 185, 176405)
    """
    if elapsed.isdigit():
        return whole(elapsed)
    days, dash, clock = elapsed.rpartition("-")
    if dash and not days:
        return 0  # ps prints a negative age when the clock was set back
    parts = [whole(part) for part in clock.split(":")]
    if len(parts) > 3:
        raise ParseError(f"not a time: {excerpt(elapsed)}")
    seconds = 0
    for part in parts:
        seconds = seconds * 60 + part
    return seconds + (whole(days) * 86400 if days else 0)

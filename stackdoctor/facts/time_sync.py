"""What keeps a node's clock: chronyd, ntpd or systemd-timesyncd, and whether it has a server that answers.

>>> parse_tracking("00000000,,0,0.000000000,0.0,0.0,0.0,0.000,0.000,0.000,1.0,1.0,0.0,Not synchronised\\n")
Tracking(reference='00000000', stratum=0, offset=0.0, leap='Not synchronised')
>>> source, = parse_sources("^,?,192.0.2.99,0,6,0,4294967295,0.000000000,0.000000000,0.000000000\\n")
>>> source.address, source.state, source.reach
('192.0.2.99', '?', 0)

From chronyc(1) (-c: values with commas between them), ntpq(8), systemd-timesyncd.service(8).  timedatectl would start
a daemon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.answers import decimal, integer, output, said
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.table import excerpt, whole
from stackdoctor.model import Evidence, NodeResults, Probe, Result, Status

__all__ = [
    "CHRONY_SOURCES",
    "CHRONY_TRACKING",
    "NTP_PEERS",
    "TIMESYNCD",
    "TimeSource",
    "TimeSync",
    "Tracking",
    "parse_peers",
    "parse_sources",
    "parse_tracking",
]

CHRONY_TRACKING = Probe(
    "chrony.tracking", ("chronyc", "-h", "127.0.0.1", "-n", "-c", "tracking"), container="chrony", timeout=10.0
)
CHRONY_SOURCES = Probe(
    "chrony.sources",
    ("chronyc", "-h", "127.0.0.1", "-n", "-c", "sources"),
    container="chrony",
    timeout=10.0,
    after=CHRONY_TRACKING.id,
)
NTP_PEERS = Probe("ntp.peers", ("ntpq", "-pn"), container="ntp", timeout=10.0)
TIMESYNCD = Probe("timesyncd.synchronized", files=("/run/systemd/timesync/synchronized",))

SILENT = ("506 ", "Connection refused", "read: ", "timed out")
_TRACKING = 14
_SOURCE = 10
_PEERS = ("remote", "refid", "st", "t", "when", "poll", "reach", "delay", "offset", "jitter")


@dataclass(frozen=True)
class Tracking:
    """``offset`` in seconds that chronyd still has to correct; ``leap`` is ``Not synchronised`` until it has a time."""

    reference: str
    stratum: int
    offset: float
    leap: str


@dataclass(frozen=True)
class TimeSource:
    """One server: ``state`` is ``*`` for the one followed, ``+`` combined, ``?`` unreachable, ``x`` false, ``~`` jumpy.

    ``reach`` has a bit for each of the last eight polls that was answered.
    """

    address: str
    state: str
    reach: int
    line: str


@dataclass(frozen=True)
class TimeSync:
    """The program that keeps the clock, and how it stands.

    ``synchronised`` is None where it cannot be said: no such program runs, or it was seen by its process alone.
    """

    program: str
    synchronised: bool | None
    offset: float | None
    sources: tuple[TimeSource, ...]
    evidence: Evidence
    probes: ClassVar[tuple[Probe, ...]] = (CHRONY_TRACKING, CHRONY_SOURCES, NTP_PEERS, TIMESYNCD, *Processes.probes)

    def __str__(self) -> str:
        return self.program

    @property
    def unheard(self) -> bool:
        """Whether there are servers and none of them answered any of the last eight polls."""
        return bool(self.sources) and not any(source.reach for source in self.sources)

    @classmethod
    def parse(cls, results: NodeResults) -> TimeSync:
        """The first of the three that answers.  Raises NotApplicable without any, CouldNotCheck or ParseError."""
        reasons: list[str] = []
        for read in (_chrony, _ntp, _timesyncd):
            try:
                return read(results)
            except NotApplicable:
                continue
            except ParseError:
                raise
            except CouldNotCheck as error:
                reasons.append(str(error))
        raise CouldNotCheck("; ".join(reasons)) if reasons else NotApplicable("no program here keeps the clock")


def _answer(result: Result) -> str:
    """What the program printed; raises NotApplicable where its daemon does not run."""
    if result.status is Status.RAN and result.exit and (said(result) + " ").startswith(SILENT):
        raise NotApplicable(f"{result.command}: {said(result)}")
    printed = output(result)
    if printed.startswith(SILENT) or said(result).endswith("Connection refused"):  # chronyc 1, ntpq: exit status 0
        raise NotApplicable(f"{result.command}: {said(result)}")
    return printed


def _chrony(results: NodeResults) -> TimeSync:
    result = results.one(CHRONY_TRACKING)
    printed = _answer(result)
    tracking = parse_tracking(printed)
    try:
        sources = parse_sources(_answer(results.one(CHRONY_SOURCES)))
    except NotApplicable:
        sources = ()
    return TimeSync(
        "chronyd",
        tracking.leap != "Not synchronised",
        tracking.offset,
        sources,
        results.evidence(result, printed.strip()),
    )


def _ntp(results: NodeResults) -> TimeSync:
    result = results.one(NTP_PEERS)
    sources = parse_peers(_answer(result))
    followed = next((source for source in sources if source.state in ("*", "o")), None)
    shown = followed.line if followed else "\n".join(source.line for source in sources[:5])
    return TimeSync("ntpd", followed is not None, None, sources, results.evidence(result, shown))


def _timesyncd(results: NodeResults) -> TimeSync:
    """It leaves the file behind when it hears a server for the first time since the boot."""
    try:
        result = results.usable(TIMESYNCD)[0]
    except NotApplicable as absent:
        running = Processes.parse(results).of("systemd-timesyncd")
        if not running:
            raise
        shown = Evidence(results.node.name, f"ls {TIMESYNCD.files[0]}", str(absent))
        return TimeSync("systemd-timesyncd", False, None, (), shown)
    return TimeSync("systemd-timesyncd", True, None, (), results.evidence(result, f"{result.subject} is there"))


def parse_tracking(printed: str) -> Tracking:
    """What ``chronyc -c tracking`` says.  Raises ParseError."""
    words = printed.strip().split(",")
    if len(words) != _TRACKING:
        raise ParseError(f"chronyc tracking: {_TRACKING} values expected: {excerpt(printed)}")
    offset = decimal(words[4])
    if offset is None:
        raise ParseError(f"chronyc tracking: not a number: {excerpt(words[4])!r}")
    return Tracking(words[0], whole(words[2]), offset, words[13])


def parse_sources(printed: str) -> tuple[TimeSource, ...]:
    """What ``chronyc -c sources`` says; local reference clocks are sources too.  Raises ParseError."""
    found = []
    for line in printed.splitlines():
        words = line.split(",")
        if len(words) != _SOURCE:
            raise ParseError(f"chronyc sources: {_SOURCE} values expected: {excerpt(line)}")
        found.append(TimeSource(words[2], words[1], _octal(words[5]), line))
    return tuple(found)


def parse_peers(printed: str) -> tuple[TimeSource, ...]:
    """What ``ntpq -pn`` says, without pools that have no server yet.  Raises ParseError."""
    found = []
    rows = [line for line in printed.splitlines() if line.strip() and not line.startswith("=")]
    if not rows:
        return ()
    if tuple(rows[0].split()) != _PEERS:
        raise ParseError(f"ntpq: unknown header: {excerpt(rows[0])}")
    for line in rows[1:]:
        words = line[1:].split()
        if len(words) != len(_PEERS):
            raise ParseError(f"ntpq: {len(_PEERS)} columns expected: {excerpt(line)}")
        if words[1] != ".POOL.":
            found.append(TimeSource(words[0], line[0].strip() or "-", _octal(words[6]), line))
    return tuple(found)


def _octal(word: str) -> int:
    value = integer(word)
    if value is None or value < 0 or not set(word) <= set("01234567") or len(word) > 6:
        raise ParseError(f"not a reach register: {excerpt(word)!r}")
    return int(word, 8)

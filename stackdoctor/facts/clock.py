"""Whether a node's clock is kept right, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.answers import decimal, integer, output
from stackdoctor.facts.table import excerpt, header
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["ClockSync"]

_CHRONY_FIELDS = 14
_NTPQ = ("remote", "refid", "st", "t", "when", "poll", "reach", "delay", "offset", "jitter")


@dataclass(frozen=True)
class ClockSync:
    """``synchronized`` as ``keeper`` (chrony, ntpd, systemd) sees it.

    ``offset`` is seconds from the source's time and ``source`` its name, None and empty where the keeper does not say
    or follows none.

    ``chronyc -c tracking``, its fields those of chronyc(1)::

        C0A8C701,192.168.199.1,3,1795372628.123,-0.000012,0.000034,0.000051,-11.2,0.003,0.09,0.001,0.0004,64.2,Normal

    ``ntpq -pn``, where ``*`` marks the source that is followed::

             remote           refid      st t when poll reach   delay   offset  jitter
        ==============================================================================
        *192.0.2.123     .GPS.            1 u   33   64  377    0.411   -0.212   0.051

    ``timedatectl show`` (239 and later) has ``NTPSynchronized=yes``, ``timedatectl`` before it a line for people.
    """

    probes: ClassVar[tuple[Probe, ...]] = (
        Probe("clock.chrony", ("chronyc", "-n", "-c", "tracking"), container="chrony"),
        Probe("clock.ntp", ("ntpq", "-pn"), container="ntp"),
        Probe("clock.systemd", ("timedatectl", "show"), otherwise=(("timedatectl",),)),
    )

    synchronized: bool
    keeper: str
    source: str
    offset: float | None
    evidence: Evidence

    @classmethod
    def parse(cls, results: NodeResults) -> ClockSync:
        """What the first keeper that answers says.  Raises NotApplicable without one, CouldNotCheck, ParseError."""
        reason: CouldNotCheck | NotApplicable | None = None
        for probe, read in zip(cls.probes, (_chrony, _ntp, _systemd), strict=True):
            try:
                return read(results, probe)
            except ParseError:
                raise
            except (CouldNotCheck, NotApplicable) as error:
                if reason is None or isinstance(error, CouldNotCheck):
                    reason = error
        assert reason is not None
        raise reason


def _signed(word: str) -> float | None:
    word = word.removeprefix("+")
    value = decimal(word.removeprefix("-"))
    return -value if value is not None and word.startswith("-") else value


def _chrony(results: NodeResults, probe: Probe) -> ClockSync:
    result = results.one(probe)
    line = output(result).strip()
    fields = line.split(",")
    if len(fields) != _CHRONY_FIELDS:
        raise ParseError(f"{result.command}: {_CHRONY_FIELDS} fields expected: {excerpt(line)}")
    followed = fields[13] != "Not synchronised" and integer(fields[2]) not in (0, None)
    source = fields[1] or fields[0]
    offset = _signed(fields[4])
    return ClockSync(
        followed, "chrony", source if followed else "", offset if followed else None, results.evidence(result, line)
    )


def _ntp(results: NodeResults, probe: Probe) -> ClockSync:
    result = results.one(probe)
    lines = output(result).splitlines()
    if not lines:
        raise CouldNotCheck(f"{result.command}: no association")
    header(lines[0], _NTPQ)
    for line in lines[2:]:
        words = line[1:].split()
        if line.startswith(("*", "o")) and len(words) == len(_NTPQ):
            milliseconds = _signed(words[8])
            offset = None if milliseconds is None else milliseconds / 1000
            return ClockSync(True, "ntpd", words[0], offset, results.evidence(result, line))
    return ClockSync(False, "ntpd", "", None, results.evidence(result, lines[0].strip()))


def _systemd(results: NodeResults, probe: Probe) -> ClockSync:
    result = results.one(probe)
    for line in output(result).splitlines():
        key, _, value = line.replace("=", ": ", 1).strip().partition(": ")
        if key in ("NTPSynchronized", "System clock synchronized", "NTP synchronized"):
            return ClockSync(value.strip() == "yes", "systemd", "", None, results.evidence(result, line.strip()))
    raise ParseError(f"{result.command}: it does not say whether the clock is synchronized")

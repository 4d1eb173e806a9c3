"""The time at the start of a log line, in the formats that a cloud's logs have."""

import calendar
import re
import time
from typing import Any, Callable, Dict, Optional, Tuple

MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_ISO = re.compile(
    rb"\[?(\d{4})-(\d\d)-(\d\d)[ T]([ \d]\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?: ?(Z|[+-]\d\d:?\d\d(?![\d-])))?"
)
_ERLANG = re.compile(rb"=\w{1,20} REPORT={2,10} *(\d{1,2})-(\w{3})-(\d{4})::(\d\d):(\d\d):(\d\d)")
_SYSLOG = re.compile(rb"(\w{3}) ([ \d]\d)(?: (\d{4}))? (\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?= )")
_APACHE = re.compile(rb"\[\w{3} (\w{3}) (\d\d) (\d\d):(\d\d):(\d\d)(?:\.\d+)? (\d{4})\]")
_MYSQL = re.compile(rb"(\d\d)(\d\d)(\d\d) +(\d{1,2}):(\d\d):(\d\d)(?= )")
_ACCESS = re.compile(rb"\S{1,200} \S{1,200} \S{1,200} \[(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})\]")


class Stamps:
    """Reads the time at the start of a log line, as seconds since the epoch on this node's clock."""

    def __init__(self, newest: float) -> None:
        self.newest = newest  # the year of a stamp without one: none is later than the file
        self.seconds: Dict[bytes, Optional[float]] = {}

    def read(self, line: bytes) -> Optional[Tuple[float, int]]:
        """The time and where the stamp ends; None for a line that starts with something else."""
        match = _ISO.match(line)
        if match:
            whole = self.cached(match.group(0)[: match.end(6)] + (match.group(8) or b""), lambda: self.iso(match))
            fraction = match.group(7)
            if whole is None:
                return None
            return whole + (int(fraction) / 10 ** len(fraction) if fraction else 0.0), match.end()
        for pattern, convert in (
            (_SYSLOG, self.syslog),
            (_ERLANG, self.erlang),
            (_APACHE, self.apache),
            (_MYSQL, self.mysql),
            (_ACCESS, self.access),
        ):
            match = pattern.match(line)
            if match:
                found = self.cached(match.group(0), lambda m=match, c=convert: c(m))  # type: ignore[misc]
                return None if found is None else (found, match.end())
        return None

    def cached(self, key: bytes, convert: Callable[[], Optional[float]]) -> Optional[float]:
        if key not in self.seconds:
            if len(self.seconds) > 5000:
                self.seconds.clear()
            try:
                self.seconds[key] = convert()
            except (ValueError, OverflowError, KeyError):
                self.seconds[key] = None
        return self.seconds[key]

    def iso(self, match: Any) -> float:
        fields = tuple(int(match.group(n)) for n in range(1, 7))
        zone = match.group(8)
        if zone is None:
            return local(*fields)
        return universal(*fields) - (0 if zone == b"Z" else east(zone))

    def erlang(self, match: Any) -> float:
        day, month, year, hour, minute, second = match.groups()
        return local(int(year), MONTHS[month], int(day), int(hour), int(minute), int(second))

    def apache(self, match: Any) -> float:
        month, day, hour, minute, second, year = match.groups()
        return local(int(year), MONTHS[month], int(day), int(hour), int(minute), int(second))

    def access(self, match: Any) -> float:
        day, month, year, hour, minute, second, zone = match.groups()
        return universal(int(year), MONTHS[month], int(day), int(hour), int(minute), int(second)) - east(zone)

    def mysql(self, match: Any) -> float:
        year, month, day, hour, minute, second = (int(group) for group in match.groups())
        return local(2000 + year, month, day, hour, minute, second)

    def syslog(self, match: Any) -> float:
        month, day, year, hour, minute, second = match.groups()
        if year:
            return local(int(year), MONTHS[month], int(day), int(hour), int(minute), int(second))
        newest = self.newest + 86400  # it may have grown since, and into a new year
        last = time.localtime(newest).tm_year
        found = local(last, MONTHS[month], int(day), int(hour), int(minute), int(second))
        if found > newest:
            found = local(last - 1, MONTHS[month], int(day), int(hour), int(minute), int(second))
        return found


def local(year: int, month: int, day: int, hour: int, minute: int, second: int) -> float:
    refuse_impossible(month, day, hour, minute, second)
    return time.mktime((year, month, day, hour, minute, second, 0, 0, -1))


def universal(year: int, month: int, day: int, hour: int, minute: int, second: int) -> float:
    refuse_impossible(month, day, hour, minute, second)
    return calendar.timegm((year, month, day, hour, minute, second, 0, 0, 0))


def refuse_impossible(month: int, day: int, hour: int, minute: int, second: int) -> None:
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61):
        raise ValueError("no time")


def east(zone: bytes) -> int:
    """Seconds east of UTC of ``+hh:mm`` or ``-hhmm``."""
    digits = zone[1:].replace(b":", b"")
    return (int(digits[:2]) * 3600 + int(digits[2:]) * 60) * (-1 if zone[:1] == b"-" else 1)

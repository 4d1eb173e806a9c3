"""Times as they are written in reports: always UTC, marked by a Z."""

from __future__ import annotations

from datetime import datetime, timezone

__all__ = ["clock_time", "here", "iso"]


def _utc(epoch: float | None) -> datetime | None:
    try:
        return None if epoch is None else datetime.fromtimestamp(epoch, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return None  # a stamp read from a damaged log: no time is better than none of the report


def iso(epoch: float | None) -> str | None:
    """Seconds since the epoch in ISO 8601 with milliseconds; None for a time that no calendar has.

    >>> iso(1795369832.284)
    '2026-11-22T17:50:32.284Z'
    """
    moment = _utc(epoch)
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock_time(epoch: float | None, near: float | None = None) -> str:
    """The time of the day, with the date unless it is that of ``near``; empty for a time that no calendar has.

    >>> clock_time(1795369832.284, near=1795369839.1), clock_time(1795369832.284)
    ('17:50:32Z', '2026-11-22 17:50:32Z')
    """
    moment, other = _utc(epoch), _utc(near)
    if moment is None:
        return ""
    same_day = other is not None and moment.date() == other.date()
    return moment.strftime("%H:%M:%SZ" if same_day else "%Y-%m-%d %H:%M:%SZ")


def here(epoch: float) -> str:
    """The same moment by the clock of this machine, in parentheses; empty where that is UTC."""
    moment = _utc(epoch)
    local = None if moment is None else moment.astimezone()
    if local is None or not local.utcoffset():
        return ""
    return local.strftime(" (%H:%M:%S %z here)")

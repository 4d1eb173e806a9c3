"""A moment as an operator writes it: ``2026-11-22T03:10``, ``03:10``, ``2h ago``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone
from typing import Any

import click

from stackdoctor.errors import UsageError

__all__ = ["MOMENT", "Moment"]

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)\s+ago")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?(Z?)")


@dataclass(frozen=True)
class Moment:
    """What was written; when that is depends on what is now."""

    text: str

    def before(self, now: float) -> float:
        """Seconds since the epoch; ``now`` are those of the look.

        Without Z or an offset a time is one of this machine's zone, as with date(1) and journalctl(1).  A time of
        the day is its last occurrence.  Raises UsageError for a moment after ``now``.
        """
        found = _resolved(self.text, now)
        if found > now:
            raise UsageError(f"--at {self.text} is {_length(found - now)} after the look: logs tell of the past only")
        return found


def _resolved(text: str, now: float) -> float:
    if ago := _AGO.fullmatch(text):
        return now - float(ago[1]) * _UNITS[ago[2]]
    if clock := _CLOCK.fullmatch(text):
        zone = timezone.utc if clock[4] else None
        today = datetime.fromtimestamp(now, timezone.utc) if zone else datetime.fromtimestamp(now)
        then = datetime.combine(today.date(), time(int(clock[1]), int(clock[2]), int(clock[3] or 0)), zone)
        if then.timestamp() > now:
            then = datetime.combine(today.date() - timedelta(days=1), then.time(), zone)
        return then.timestamp()
    return datetime.fromisoformat(re.sub(r"Z$", "+00:00", text)).timestamp()


def _length(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


class _MomentType(click.ParamType):  # type: ignore[type-arg]
    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Moment:
        if isinstance(value, Moment):
            return value
        text = " ".join(str(value).split())
        try:
            if not math.isfinite(_resolved(text, 4e9)):
                raise ValueError
        except (ValueError, OverflowError, OSError):
            self.fail(f"{value!r} is not a moment: write 2026-11-22T03:10, 03:10, 03:10Z or '2h ago'", param, ctx)
        return Moment(text)


MOMENT = _MomentType()

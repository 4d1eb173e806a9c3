"""Moments as operators write them."""

from __future__ import annotations

import time
from datetime import datetime, timezone

import click
import pytest

from stackdoctor.cli.moment import MOMENT
from stackdoctor.errors import UsageError

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc).timestamp()


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch):
    """This machine's zone is nine hours east of UTC."""
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-11-22T03:10", "2026-11-21T18:10:00"),
        ("2026-11-22 03:10:05", "2026-11-21T18:10:05"),
        ("2026-11-22T03:10Z", "2026-11-22T03:10:00"),
        ("2026-11-22T03:10+01:00", "2026-11-22T02:10:00"),
        ("03:10", "2026-11-21T18:10:00"),
        ("20:59:58", "2026-11-22T11:59:58"),
        ("21:01", "2026-11-21T12:01:00"),
        ("21:01Z", "2026-11-21T21:01:00"),
        ("11:59Z", "2026-11-22T11:59:00"),
        ("2h ago", "2026-11-22T10:00:00"),
        ("90  s ago", "2026-11-22T11:58:30"),
        ("30 min ago", "2026-11-22T11:30:00"),
    ],
)
def test_a_moment_is_of_this_machines_zone_unless_it_says_another(tokyo, text: str, said: str) -> None:
    moment = MOMENT.convert(text, None, None).before(NOW)
    assert datetime.fromtimestamp(moment, timezone.utc).replace(tzinfo=None).isoformat() == said


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2026-11-31T00:00", "2h", "-1h ago", "9" * 400 + "d ago"])
def test_what_is_no_moment_is_refused_with_examples(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a moment: write 2026-11-22T03:10"):
        MOMENT.convert(text, None, None)


def test_the_future_is_refused() -> None:
    with pytest.raises(UsageError, match="is 60 min after the look"):
        MOMENT.convert("2026-11-22T13:00Z", None, None).before(NOW)

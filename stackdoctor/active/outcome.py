"""What came of an active test."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["SCHEMA", "Outcome", "State", "exit_status", "outcomes_value"]

SCHEMA = "stackdoctor/test/1"


class State(str, enum.Enum):
    """How a test went."""

    OK = "ok"
    FAILED = "failed"
    NOT_RUN = "not-run"


@dataclass(frozen=True)
class Outcome:
    """One test at one place.  ``says`` is what was seen, ``advice`` what to do next or what it does not prove.

    ``values`` are the measurements, as JSON has them; times in them are milliseconds.
    """

    where: str
    state: State
    says: str
    advice: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


def exit_status(outcomes: Iterable[Outcome]) -> int:
    """0 all passed, 1 one failed, 3 none failed and not all could be run.

    >>> exit_status([Outcome("a", State.OK, ""), Outcome("b", State.NOT_RUN, "")])
    3
    """
    states = [outcome.state for outcome in outcomes]
    if State.FAILED in states:
        return 1
    return 0 if states and State.NOT_RUN not in states else 3


def outcomes_value(test: str, outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """The same as JSON has it (docs/test.md)."""
    return {
        "schema": SCHEMA,
        "test": test,
        "outcomes": [
            {
                "where": outcome.where,
                "state": outcome.state.value,
                "says": outcome.says,
                "advice": outcome.advice or None,
                "values": dict(outcome.values),
            }
            for outcome in outcomes
        ],
    }

"""What is sent in place of the standard library's does as much of it as the agent needs."""

from __future__ import annotations

from typing import Any

import pytest

from stackdoctor.collect.agent import standins
from stackdoctor.collect.agent.threads import Bell, begin

Pair: Any = standins.NamedTuple("Pair", [("first", int), ("second", str)])


def test_a_named_tuple_has_names_and_can_be_replaced_in_part() -> None:
    pair = Pair(1, "b")
    assert (pair.first, pair.second, tuple(pair), type(pair).__name__) == (1, "b", (1, "b"), "Pair")
    assert pair._replace(second="c") == (1, "c")
    assert type(pair._replace(first=2)) is Pair


@pytest.mark.parametrize("values", [(1,), (1, 2, 3)])
def test_a_value_too_few_or_too_many_is_refused(values: tuple[int, ...]) -> None:
    with pytest.raises(TypeError, match=f"Pair has 2 values, not {len(values)}"):
        Pair(*values)


def test_what_was_asked_once_is_not_asked_again() -> None:
    asked = []

    @standins.lru_cache(maxsize=None)  # type: ignore[untyped-decorator]
    def ask(*about: str) -> int:
        asked.append(about)
        return len(asked)

    assert [ask("a"), ask("b"), ask("a"), ask(), ask()] == [1, 2, 1, 3, 3]


def test_a_bell_that_nobody_waited_for_is_heard_once() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    assert (bell.wait(0), bell.wait(0)) == (True, False)


def test_a_bell_wakes_who_waits() -> None:
    called, answered = Bell(), Bell()

    def other() -> None:
        called.wait()
        answered.ring()

    begin(other)
    called.ring()
    assert answered.wait(10)

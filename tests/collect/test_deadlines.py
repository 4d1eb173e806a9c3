"""Who acts at which moment, in a real thread."""

from __future__ import annotations

import threading

from stackdoctor.collect.deadlines import Deadlines

EVER = 86400.0


def test_what_takes_too_long_is_acted_on_while_it_goes_on() -> None:
    deadlines, late = Deadlines(), threading.Event()
    with deadlines.within(EVER, lambda: None), deadlines.within(0.0, late.set):
        assert late.wait(60.0)


def test_what_ends_in_time_is_left_alone_and_the_thread_ends_with_the_last() -> None:
    deadlines, acted = Deadlines(), threading.Event()
    before = set(threading.enumerate())
    with deadlines.within(EVER, acted.set):
        (watching,) = set(threading.enumerate()) - before
        with deadlines.within(EVER, acted.set):
            pass
        assert watching.is_alive()
    watching.join(60.0)
    assert not watching.is_alive()
    assert not acted.is_set()


def test_an_earlier_deadline_does_not_wait_for_a_later_one_that_was_there_before() -> None:
    deadlines, order = Deadlines(), list[str]()
    both = threading.Event()
    with (
        deadlines.within(0.2, lambda: (order.append("later"), both.set())),
        deadlines.within(0.0, lambda: order.append("earlier")),
    ):
        assert both.wait(60.0)
    assert order == ["earlier", "later"]


def test_deadlines_work_again_after_there_were_none() -> None:
    deadlines = Deadlines()
    for _ in range(3):
        late = threading.Event()
        with deadlines.within(0.0, late.set):
            assert late.wait(60.0)

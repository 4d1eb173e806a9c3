"""When a symptom held, by its lines per minute."""

from __future__ import annotations

from stackdoctor.diagnose.episodes import ended, episodes_of, overlap, together
from stackdoctor.facts.logs import LogHit


def hit(*times: float) -> LogHit:
    minutes: dict[int, int] = {}
    for time in times:
        minutes[int(time // 60)] = minutes.get(int(time // 60), 0) + 1
    return LogHit("x", "s", "/l", {}, len(times), min(times), max(times), minutes, (), "n", 1e6)


def test_lines_with_a_recovery_between_them_are_two_episodes_and_the_recovery_ends_the_first() -> None:
    found = episodes_of(hit(0, 60, 600), [hit(130), hit(700)], told=True)
    assert found == ((0, 179), (600, 700))


def test_a_log_that_says_when_it_is_over_is_cut_nowhere_else() -> None:
    assert episodes_of(hit(0, 1200), [], told=True) == ((0, 1200),)


def test_a_log_that_says_nothing_is_cut_where_the_lines_stay_away() -> None:
    assert len(episodes_of(hit(0, 60, 120, 1200, 1260), [], told=False)) == 2


def test_lines_every_ten_minutes_are_one_episode() -> None:
    assert len(episodes_of(hit(*range(0, 6000, 600)), [], told=False)) == 1


def test_a_recovery_before_all_lines_ends_nothing() -> None:
    assert episodes_of(hit(600), [hit(0)], told=True) == ((600, 600),)


def test_times_less_than_a_minute_apart_are_one() -> None:
    assert together([(100, 200), (0, 50), (400, 401)]) == ((0, 200), (400, 401))


def test_overlap_allows_slack() -> None:
    assert not overlap([(0, 10)], [(20, 30)])
    assert overlap([(0, 10)], [(20, 30)], slack=10)


def test_what_holds_now_has_not_ended() -> None:
    assert (ended([(0, 1), (2, 3)], present=True), ended([(0, 1), (2, 3)], present=False)) == (1, 2)

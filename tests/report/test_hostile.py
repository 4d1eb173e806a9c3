"""Text from a node is inert on a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackdoctor.report.hostile import plain


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x1b[H", r"\x1b[2J\x1b[H"),
        ("\x1b]0;root@controller\x07", r"\x1b]0;root@controller\x07"),
        ("\x1b]8;;http://192.0.2.1/\x1b\\here", "\\x1b]8;;http://192.0.2.1/\\x1b\\here"),
        ("\x9b31mred", r"\x9b31mred"),
        ("ok\rFAILED", r"ok\rFAILED"),
        ("one\ntwo\x0b\x0c\x85three\u2028four\u2029", r"one\ntwo\x0b\x0c\x85three\u2028four\u2029"),
        ("a\x00b\x08c\x7fd", r"a\x00b\x08c\x7fd"),
        ("vm\u202egpj.exe\u202c", r"vm\u202egpj.exe\u202c"),
        ("\u2066isolated\u2069\u200f", r"\u2066isolated\u2069\u200f"),
        ("ad\u200bmin\ufeff\u2060\u00ad", r"ad\u200bmin\ufeff\u2060\xad"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("blank\u3164\ufe0f\u00a0", r"blank\u3164\ufe0f\xa0"),
        ("half \ud83d", r"half \ud83d"),
        ("e" + "\u0301" * 5, "e" + "\u0301" * 3 + r"\u0301\u0301"),
    ],
)
def test_what_a_terminal_would_obey_or_hide_becomes_visible(hostile, shown):
    assert plain(hostile) == shown


@pytest.mark.parametrize(
    "text", ["2026-11-22 17:50:32.284 879 WARNING nova [-]", "Größe 10 ГБ 仮想マシン", "[bold]x[/]", r"\x1b"]
)
def test_ordinary_text_stays_as_it_is(text):
    assert plain(text) == text


def test_columns_made_by_tabs_stay_columns():
    assert plain("conductor\t0\t9") == "conductor       0       9"


def test_a_long_line_is_cut_at_its_bound_and_says_by_how_much():
    assert plain("x" * 1_000_000, 10) == "x" * 10 + "… (+999990 characters)"
    assert plain("x" * 11, 10) == "x" * 10 + "… (+1 character)"
    assert plain("x" * 10, 10) == "x" * 10


def test_escapes_and_tabs_count_towards_the_bound():
    assert plain("\x1b" * 100, 8) == r"\x1b\x1b… (+116 characters)"
    assert len(plain("\t" * 100, 16)) < 40


@given(st.text(st.characters(), max_size=200), st.none() | st.integers(1, 80))
def test_nothing_but_printable_characters_comes_out_and_a_second_time_changes_nothing(text, width):
    shown = plain(text, width)
    assert shown.isprintable()
    assert not any(unicodedata.category(c)[0] == "C" or unicodedata.bidirectional(c) in {"RLO", "LRO"} for c in shown)
    assert plain(shown) == shown
    shown.encode("utf-8")

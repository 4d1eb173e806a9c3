from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackdoctor.errors import ParseError
from stackdoctor.facts.erlang import proplist, term


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[]", []),
        ("{ok}", ("ok",)),
        ("'rabbit@openstack-01'", "rabbit@openstack-01"),
        (r'"a \"quoted\" word\n"', 'a "quoted" word\n'),
        (r'"\x{263a}\303"', "☺Ã"),
        ('<<"bin">>', "bin"),
        ('<<"é"/utf8>>', "é"),
        ("<<114,97,98>>", "rab"),
        ("<<>>", ""),
        ("<0.594.0>", "<0.594.0>"),
        ("#Ref<0.1.2.3>", "#Ref<0.1.2.3>"),
        ("[1, -2, 0.4, 1.0e3]", [1, -2, 0.4, 1000.0]),
        ("#{level => info,x => [1]}", [("level", "info"), ("x", [1])]),
        (" [{a,\n  [b,\n c]}]\n", [("a", ["b", "c"])]),
    ],
)
def test_a_term_is_read(text: str, value: object) -> None:
    assert term(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "[1",
        "[1}",
        "]",
        '"open',
        "'open",
        "a b",
        "Variable",
        "<<300>>",
        "<<1",
        "fun() -> ok end",
        "1e",
        "1.2.3",
    ],
)
def test_what_is_no_term_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        term(text)


def test_deep_nesting_is_refused_and_not_followed() -> None:
    with pytest.raises(ParseError, match="deeper"):
        term("[" * 100_000)


def test_the_time_grows_with_the_length_only() -> None:
    began = time.perf_counter()
    for hostile in ('"' + "\\" * 400_000, "<" * 400_000, "[" + '"a",' * 100_000, "1" * 400_000):
        with pytest.raises(ParseError):
            term(hostile)
    assert time.perf_counter() - began < 3.0


def test_a_list_of_three_is_read_by_its_last_element() -> None:
    assert proplist(term('[{"product",longstr,"py-amqp"},junk,{1,2}]')) == {"product": "py-amqp"}


@given(st.text(alphabet="[]{}<>#\"\\'abz019.,=>- \n@|x", max_size=200) | st.text(max_size=60))
def test_any_text_is_a_term_or_refused(text: str) -> None:
    with contextlib.suppress(ParseError):
        term(text)

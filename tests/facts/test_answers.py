import pytest

from stackdoctor.errors import CouldNotCheck, ParseError
from stackdoctor.facts.answers import (
    decimal,
    integer,
    json_rows,
    json_value,
    nested,
    number,
    output,
    rows_in,
    said,
    text,
)
from stackdoctor.model import Result, Status


def test_a_failed_command_is_told_with_what_it_said() -> None:
    result = Result("links.host", "ip link", exit=1, stderr=b"\nCannot open netlink socket\nmore\n")
    with pytest.raises(CouldNotCheck, match="ip link: exit status 1: Cannot open netlink socket"):
        output(result)
    assert said(Result("x", "x", stdout=b"only here\n")) == "only here"


def test_an_answer_that_was_cut_is_not_read() -> None:
    with pytest.raises(CouldNotCheck, match="was cut after 3 bytes"):
        output(Result("x", "x", status=Status.TRUNCATED, stdout=b"abc"))


def test_a_denied_answer_says_why() -> None:
    with pytest.raises(CouldNotCheck, match="sudo wants a password"):
        output(Result("x", "x", status=Status.DENIED, reason="sudo wants a password"))


def test_only_plain_numbers_are_numbers() -> None:
    assert [integer(word) for word in ("12", "-3", "", "-", "１２", "1_0", "9" * 19, "0x1")] == [12, -3] + [None] * 6
    assert [decimal(word) for word in ("12.50", "100", "", "nan", "1.-5")] == [12.5, 100.0, None, None, None]


def test_json_of_another_shape_is_refused() -> None:
    for document in ("{}", "[1]", "nonsense", "[" * 100000):
        with pytest.raises(ParseError):
            json_rows(document)
    row = json_rows('[{"a": 1, "b": "x", "c": true}]')[0]
    for read in (lambda: text(row, "a"), lambda: number(row, "b"), lambda: number(row, "c"), lambda: nested(row, "a")):
        with pytest.raises(ParseError):
            read()


def test_empty_objects_and_empty_output_are_no_rows() -> None:
    assert json_rows("[{},{}]") == ()
    assert json_rows("\n") == ()
    assert rows_in([]) == ()


def test_half_a_surrogate_pair_can_be_written_down_again() -> None:
    (row,) = json_rows('[{"ifname": "tap\\ud800"}]')
    assert text(row, "ifname").encode() == b"tap?"
    assert json_value('"\\ud83d\\ude00"') == "\U0001f600"

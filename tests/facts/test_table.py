from __future__ import annotations

import pytest

from stackdoctor.errors import ParseError
from stackdoctor.facts.table import header, tabbed, whole

ASKED = ("name", "messages", "consumers")


def test_columns_are_found_by_the_header_whatever_their_order() -> None:
    text = "consumers\tname\textra\tmessages\n2\tconductor\tx\t7\n"
    assert [cells["messages"] for cells, _ in tabbed(text, ASKED)] == ["7"]


def test_an_empty_cell_keeps_its_column() -> None:
    text = "name\tmessages\tconsumers\nconductor\t\t5\n"
    assert [(cells["messages"], cells["consumers"]) for cells, _ in tabbed(text, ASKED)] == [("", "5")]


def test_without_a_header_the_number_of_columns_tells_which_were_asked_for() -> None:
    assert [cells["consumers"] for cells, _ in tabbed("conductor\t1\t2\n", ASKED, ("name", "messages"))] == ["2"]
    assert [cells["messages"] for cells, _ in tabbed("conductor\t1\n", ASKED, ("name", "messages"))] == ["1"]


def test_a_row_cut_off_in_the_middle_is_refused() -> None:
    with pytest.raises(ParseError, match="2 columns where the table has 3"):
        list(tabbed("name\tmessages\tconsumers\na\t1\t2\nb\t1\n", ASKED))


def test_another_header_is_refused() -> None:
    with pytest.raises(ParseError, match="unknown header"):
        header("Dateisystem 1K-Blöcke", ("Filesystem", "Mounted on"))


@pytest.mark.parametrize("word", ["", "-", "1.5", "٣", "1_000", "0x10", "9" * 30])
def test_what_is_no_decimal_number_is_refused(word: str) -> None:
    with pytest.raises(ParseError):
        whole(word)

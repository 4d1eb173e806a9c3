"""What a look has cost, in two lines and as JSON."""

from __future__ import annotations

from dataclasses import replace

from stackdoctor.model import Cost
from stackdoctor.report.receipt import cost_entry, receipt

ONE = Cost(seconds=4.2, cpu=1.25, bytes=3 << 20, commands=40)


def test_the_sum_and_the_node_that_paid_most_are_named() -> None:
    paid, less = receipt({"controller": ONE, "compute1": replace(ONE, cpu=0.5, bytes=512, commands=1), "lost": None})
    assert paid == (
        "Cost to the nodes: 1.8 s of processor, 3.0 MiB, 41 commands; most on controller: 1.2 s, 3.0 MiB, 40 commands."
    )
    assert less == ""


def test_one_node_needs_no_most() -> None:
    assert receipt({"a": ONE})[0] == "Cost to the nodes: 1.2 s of processor, 3.0 MiB, 40 commands."


def test_who_was_spared_and_what_was_left_out_is_said() -> None:
    spared = replace(ONE, sparing="load 40.0 on 4 CPUs", left_out=("rabbitmq.channels",))
    ended = replace(ONE, used_up="the node's budget of 60 s of processor time was used up", left_out=("logs.hits",))
    assert receipt({"a": spared, "b": ended, "c": ONE})[1] == (
        "Asked for less: a (spared, load 40.0 on 4 CPUs): without rabbitmq.channels;"
        " b (the node's budget of 60 s of processor time was used up): without logs.hits."
    )


def test_a_cloud_that_says_nothing_of_its_cost_has_no_receipt() -> None:
    assert receipt({"a": None}) == ("", "")
    assert cost_entry(None) is None


def test_the_json_has_every_field() -> None:
    assert cost_entry(replace(ONE, left_out=("x",))) == {
        "seconds": 4.2,
        "cpu": 1.25,
        "bytes": 3145728,
        "commands": 40,
        "used_up": "",
        "sparing": "",
        "left_out": ["x"],
    }

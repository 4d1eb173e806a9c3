"""What is asked of the nodes for a capture, and what is made of what they answer."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from stackdoctor.active.capture import Bounds, Tap, capture_plans, captured, parse_tap
from stackdoctor.errors import UsageError
from stackdoctor.model import Clock, Node, NodeResults, Result, Status

TAP = Tap("compute1", "tap712c9d12-a3")
INSIDE = Tap("controller", "ns-da146156-92", "qdhcp-c29dcc29-e6c3-4352-b243-df929c3e972b")


def answer(tap: Tap, **said: object) -> NodeResults:
    id_ = next(iter(capture_plans([tap], (), Bounds())[tap.node].probes)).id
    result = Result(id_, "tcpdump", **{"stdout": b"", **said})  # type: ignore[arg-type]
    return NodeResults(Node(tap.node), {(id_, ""): result})


def test_each_node_gets_its_own_hops_bounded_in_time_packets_and_bytes() -> None:
    plans = capture_plans([TAP, INSIDE], ("udp", "port", "67"), Bounds(seconds=5, packets=10))

    (probe,) = plans["compute1"].probes
    assert probe.argv[:5] == ("timeout", "-s", "INT", "-k", "2")
    assert probe.argv[-3:] == ("udp", "port", "67")
    assert probe.cap == Bounds().size
    assert plans["controller"].probes[0].argv[:4] == ("ip", "netns", "exec", INSIDE.namespace)


def test_a_filter_that_is_an_option_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(UsageError, match="nothing was sent"):
        capture_plans([TAP], ("-z", "reboot"), Bounds())


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"stderr": b"tcpdump: tap1: No such device exists", "exit": 1}, "no such interface"),
        ({"stderr": b'Cannot open network namespace "qdhcp-1": No such file or directory', "exit": 1}, "namespace"),
        ({"status": Status.MISSING}, "package tcpdump"),
        (
            {"stderr": b"timeout: failed to run command 'tcpdump': No such file or directory", "exit": 127},
            "package tcpdump",
        ),
        ({"status": Status.DENIED, "reason": "sudo wants a password"}, "sudo wants a password"),
        ({"stderr": b"tcpdump: can't parse filter expression: syntax error", "exit": 1}, "filter is not understood"),
    ],
)
def test_why_there_is_no_capture_is_said(said: dict[str, object], why: str) -> None:
    ((found, data),) = captured([TAP], [answer(TAP, **said)])

    assert why in found.unread
    assert data == b""


def test_a_hop_of_a_foreign_link_type_is_said_and_the_others_are_read() -> None:
    head = struct.Struct("<IHHIIII").pack
    ppp, ethernet = (head(0xA1B2C3D4, 2, 4, 0, 0, 65535, link) for link in (9, 1))
    (foreign, _), (read, _) = captured([TAP, INSIDE], [answer(TAP, stdout=ppp), answer(INSIDE, stdout=ethernet)])

    assert "link type 9" in foreign.unread
    assert read.unread == ""


def test_it_listened_from_a_little_after_its_start_to_its_end_on_our_clock() -> None:
    head = struct.Struct("<IHHIIII").pack(0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    asked = answer(TAP, stdout=head, started=1000.0, seconds=10.0)
    ((found, _),) = captured([TAP], [replace(asked, clock=Clock(1000.0, offset=300.0))])

    assert 700 < found.since < 701
    assert found.until == 710


def test_a_node_that_was_lost_is_said() -> None:
    ((found, _),) = captured([TAP], [NodeResults(Node("compute1"), failure="no route to host")])

    assert found.unread == "no route to host"


def test_what_is_no_hop_is_said() -> None:
    assert parse_tap("n:eth0") == Tap("n", "eth0")
    with pytest.raises(UsageError, match="NODE:INTERFACE"):
        parse_tap("eth0")

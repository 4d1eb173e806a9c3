"""Galera 26.4 with MariaDB 10.11, three members: their saved states, and flow control while one had a table locked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stackdoctor.errors import NotApplicable, ParseError
from stackdoctor.facts.galera import GALERA_FLOW, GRASTATE, GaleraFlow, GaleraSaved
from stackdoctor.facts.mysql import MYSQL_STATUS

HEAD = "Variable_name\tValue\n"
FLOW = HEAD + (
    "wsrep_local_recv_queue\t{queue}\nwsrep_local_recv_queue_max\t8\nwsrep_local_recv_queue_min\t0\n"
    "wsrep_local_recv_queue_avg\t1.86667\nwsrep_flow_control_paused_ns\t{paused}\nwsrep_flow_control_paused\t0.03\n"
    "wsrep_flow_control_sent\t{sent}\nwsrep_flow_control_recv\t1\nwsrep_flow_control_active\ttrue\n"
    "wsrep_flow_control_requested\t{requested}\n"
)
SAVED = "# GALERA saved state\nversion: 2.1\nuuid:    9d6cb548-e6c0-11f1-9bf3-e61cac27bad7\nseqno:   66\n"


def looks(answer, first: str, second: str):
    return (
        answer(MYSQL_STATUS, HEAD + "uptime\t9\n"),
        replace(answer(GALERA_FLOW, first), started=100.0),
        replace(answer(GALERA_FLOW, second, subject="#2"), started=103.1),
    )


def test_what_was_paused_between_two_looks_counts(answer, answered_node) -> None:
    before = FLOW.format(queue=0, paused=4176824588, sent=0, requested="false")
    after = FLOW.format(queue=8, paused=7214369731, sent=1, requested="true")
    found = GaleraFlow.parse(answered_node(*looks(answer, before, after)))
    assert (round(found.paused, 2), found.sent, found.requested, found.queue) == (0.98, 1, True, 8)


def test_what_was_paused_last_year_does_not(answer, answered_node) -> None:
    same = FLOW.format(queue=0, paused=7214369731, sent=9, requested="false")
    found = GaleraFlow.parse(answered_node(*looks(answer, same, same)))
    assert (found.paused, found.sent, found.requested) == (0.0, 0, False)


def test_a_database_without_galera_prints_nothing(answer, answered_node) -> None:
    with pytest.raises(NotApplicable):
        GaleraFlow.parse(answered_node(*looks(answer, "", "")))


def test_the_saved_state_is_read(answer, answered_node) -> None:
    node = answered_node(answer(GRASTATE, SAVED + "safe_to_bootstrap: 0\n", subject=GRASTATE.files[0]))
    found = GaleraSaved.parse(node)
    assert (found.saved.seqno, found.saved.safe_to_bootstrap) == (66, False)
    assert found.evidence.line == "seqno: 66, safe_to_bootstrap: 0"


def test_a_file_cut_short_is_refused(answer, answered_node) -> None:
    with pytest.raises(ParseError):
        GaleraSaved.parse(answered_node(answer(GRASTATE, SAVED[:60], subject=GRASTATE.files[0])))

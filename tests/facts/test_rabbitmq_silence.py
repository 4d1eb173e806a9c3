"""What rabbitmqctl 3.10 says of a broker stopped by SIGSTOP (14 s), and at once where its cookie is another one."""

from __future__ import annotations

import pytest

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.rabbitmq_silence import BrokerSilence
from stackdoctor.facts.rabbitmq_status import STATUS, BrokerStatus
from stackdoctor.model import Node, NodeResults, Result, Status

UNGREETED = """Error: unable to perform an operation on node 'rabbit@controller'. Please see diagnostics information \
and suggestions below.

DIAGNOSTICS
===========

attempted to contact: [rabbit@controller]

rabbit@controller:
  * connected to epmd (port 4369) on controller
  * epmd reports node 'rabbit' uses port 25672 for inter-node and CLI tool traffic
  * TCP connection succeeded but Erlang distribution failed
  * suggestion: check if the Erlang cookie is identical for all server nodes and CLI tools
"""
# rabbitmq_cli, core/default_output.ex and core/exit_codes.ex of 3.7 to 4.x
OPERATION = "Error: operation status on node rabbit@controller timed out. Timeout value used: 30000\n"


def asked(said: str = "", *, exit: int = 69, seconds: float = 0.3, status: Status = Status.RAN) -> NodeResults:
    result = Result(STATUS.id, "rabbitmqctl -q status", "", status, exit, b"", said.encode(), 0.0, seconds)
    return NodeResults(Node("controller"), {(STATUS.id, ""): result})


def test_a_process_that_does_not_greet_is_silent() -> None:
    silence = BrokerSilence.parse(asked(UNGREETED, seconds=14.2))
    assert silence.silent
    assert silence.evidence.line == "TCP connection succeeded but Erlang distribution failed"


def test_the_same_words_at_once_are_another_cookie() -> None:
    assert not BrokerSilence.parse(asked(UNGREETED)).silent


@pytest.mark.parametrize("said", [UNGREETED, OPERATION])
def test_a_silent_broker_is_not_one_that_is_down(said: str) -> None:
    with pytest.raises(CouldNotCheck):
        BrokerStatus.parse(asked(said, seconds=14.2))


def test_an_operation_that_timed_out_and_a_command_that_was_ended_are_silence() -> None:
    assert BrokerSilence.parse(asked(OPERATION)).silent
    assert BrokerSilence.parse(asked(exit=0, status=Status.TIMED_OUT, seconds=30.0)).silent


def test_a_rejection_is_none_however_long_it_took() -> None:
    rejected = UNGREETED + "  * Authentication failed (rejected by the remote node), please check the Erlang cookie\n"
    assert not BrokerSilence.parse(asked(rejected, seconds=20.0)).silent


def test_an_answer_is_no_silence_and_no_answer_to_give_is_said() -> None:
    assert not BrokerSilence.parse(asked(exit=0)).silent
    with pytest.raises(CouldNotCheck):
        BrokerSilence.parse(asked(status=Status.DENIED))
    with pytest.raises(NotApplicable):
        BrokerSilence.parse(asked(status=Status.MISSING))

"""A broker whose process is there and that answers nobody, and what looks like it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stackdoctor.model import Status

Look = Callable[..., Any]

BEAM = (
    "/usr/lib/erlang/erts-13.1.5/bin/beam.smp -W w -MBas ageffcbf -- -root /usr/lib/erlang -progname erl -- -home"
    " /var/lib/rabbitmq -- -pa -noshell -noinput -s rabbit boot -boot start_sasl -lager crash_log false"
)
CTL = (
    "/usr/lib/erlang/erts-13.1.5/bin/beam.smp -- -root /usr/lib/erlang -progname erl -- -home /var/lib/rabbitmq --"
    " -noinput -boot start_clean -extra /usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/escript/rabbitmqctl -q status"
)
UNREACHABLE = ("rpc-unreachable", "nova-compute", {"broker": "192.0.2.10", "port": "5672", "reason": "timed out"})

# recorded on a broker of 3.10 that SIGSTOP had stopped, and on the same one before
FROZEN = {
    "sockets.tcp": (
        "State      Recv-Q Send-Q          Local Address:Port            Peer Address:Port Process\n"
        'LISTEN     36     0                *:5672                       *:*    users:(("beam.smp",pid=29,fd=34))\n'
        "CLOSE-WAIT 9      0      [::ffff:192.0.2.10]:5672 [::ffff:192.0.2.22]:55058\n"
        'CLOSE-WAIT 1125   0     [::ffff:192.0.2.10]:5672 [::ffff:192.0.2.10]:55052 users:(("beam.smp",pid=29,fd=45))\n'
        "ESTAB      8      0     [::ffff:192.0.2.10]:5672 [::ffff:192.0.2.21]:52454\n"
    ),
    "sockets.listening": (
        "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
        'tcp   LISTEN 36     0                  *:5672             *:*   users:(("beam.smp",pid=29,fd=34))\n'
    ),
}
SERVED = {
    "sockets.tcp": (
        "State      Recv-Q Send-Q          Local Address:Port            Peer Address:Port Process\n"
        'ESTAB      8      0     [::ffff:192.0.2.10]:5672 [::ffff:192.0.2.10]:55052 users:(("beam.smp",pid=29,fd=45))\n'
        'ESTAB      0      0     [::ffff:192.0.2.10]:5672 [::ffff:192.0.2.22]:56108 users:(("beam.smp",pid=29,fd=37))\n'
    ),
    "sockets.listening": FROZEN["sockets.listening"].replace("LISTEN 36", "LISTEN 0 "),
}
CALM = {"host.loadavg /proc/loadavg": "0.71 0.52 0.40 2/464 4257\n", "host.cpus": "4\n"}
LOADED = {"host.loadavg /proc/loadavg": "61.02 54.89 48.55 70/464 4257\n", "host.cpus": "4\n"}


@pytest.fixture
def silent(processes: Any, address: Any) -> Callable[..., dict[str, Any]]:
    """A controller whose rabbitmqctl got no answer, with that process and these sockets."""

    def node(command: str = BEAM, stat: str = "Ssl", *more: dict[str, str]) -> dict[str, Any]:
        answers: dict[str, Any] = {"rabbitmq.status": Status.TIMED_OUT, "processes": processes(command, stat)}
        answers |= address("192.0.2.10")
        for each in more or (FROZEN, CALM):
            answers |= each
        return answers

    return node


def test_a_broker_that_hangs_is_named_with_what_hangs_on_it(look: Look, silent: Any, address: Any, logged: Any) -> None:
    timeout = ("rpc-timeout", "nova-compute", {"topic": "conductor", "callee": "nova-conductor"})
    seen = look(controller=silent(), compute1=address("192.0.2.20") | logged(UNREACHABLE, timeout))
    assert seen.causes == [("rmq-broker-hung", "controller")]
    assert {"rabbitmq.broker.unresponsive", "log.rpc-unreachable", "log.rpc-timeout"} <= seen.explained
    assert "rabbitmq.broker.down" not in seen.findings


def test_a_stopped_broker_hangs_whatever_rabbitmqctl_says(look: Look, silent: Any, address: Any, logged: Any) -> None:
    seen = look(controller=silent(BEAM, "Tsl"), compute1=address("192.0.2.20") | logged(UNREACHABLE))
    assert seen.causes == [("rmq-broker-hung", "controller")]
    assert {"process.stopped", "log.rpc-unreachable"} <= seen.explained


def test_a_rabbitmqctl_that_is_slow_beside_a_broker_that_reads_is_no_cause(look: Look, silent: Any) -> None:
    seen = look(controller=silent(BEAM, "Ssl", SERVED, CALM))
    assert seen.causes == []
    assert str(seen.findings["rabbitmq.broker.unresponsive"].severity) == "warning"


def test_a_node_with_more_work_than_it_can_do_is_no_hung_broker(look: Look, silent: Any) -> None:
    seen = look(controller=silent(BEAM, "Ssl", FROZEN, LOADED))
    assert seen.causes == []
    assert str(seen.findings["rabbitmq.broker.unresponsive"].severity) == "warning"


def test_a_broker_that_waits_for_its_disk_hangs_though_the_load_says_so_too(look: Look, silent: Any) -> None:
    assert look(controller=silent(BEAM, "Dsl", FROZEN, LOADED)).causes == [("rmq-broker-hung", "controller")]


@pytest.mark.parametrize("command", ["", CTL])
def test_where_no_broker_runs_none_hangs(look: Look, silent: Any, command: str) -> None:
    assert "rabbitmq.broker.unresponsive" not in look(controller=silent(command)).findings


def test_a_broker_that_answers_is_fine_whatever_waits_for_it(look: Look, broker: Any, processes: Any) -> None:
    answers = broker().answers() | FROZEN | CALM | {"processes": processes(BEAM)}
    assert not look(controller=answers).every
